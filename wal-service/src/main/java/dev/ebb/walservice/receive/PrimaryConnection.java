package dev.ebb.walservice.receive;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.receive.TapSocketFactory.TapSocket;
import java.io.IOException;
import java.io.OutputStream;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.Properties;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.postgresql.Driver;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyDual;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A physical replication connection that streams; made and used by receivers only. One thread
 * reads; any thread sends the status or closes. It holds the pgjdbc connection itself: when only
 * the stream is held, pgjdbc's cleaner closes the connection under it.
 */
public final class PrimaryConnection implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(PrimaryConnection.class);

  /** Keeps WAL on the primary that the log does not have yet, over lost connections too. */
  static final String SLOT = "ebb";

  private static final String OBJECT_IN_USE = "55006";
  private static final int READ_SLOT_SINCE_MAJOR = 15;

  private final Connection connection;
  private final TapSocket socket;
  private final OutputStream out;
  private final boolean withSlot;
  private final CopyDual stream;
  private final Duration silence;

  private PrimaryConnection(
      Connection connection,
      TapSocket socket,
      OutputStream out,
      CopyDual stream,
      boolean withSlot,
      Duration silence) {
    this.silence = silence;
    this.connection = connection;
    this.socket = socket;
    this.out = out;
    this.stream = stream;
    this.withSlot = withSlot;
  }

  /**
   * Connects and starts to stream from {@code start}.
   *
   * @param silence a primary that says nothing for so long is gone: it answers a status that asks
   *     for it
   * @throws EbbException.Corrupt when it is another database or another timeline
   */
  static PrimaryConnection open(Primary primary, Lsn start, Duration silence)
      throws SQLException, IOException {
    String key = UUID.randomUUID().toString();
    Connection connection = connect(primary, key, silence);
    TapSocket socket = TapSocketFactory.take(key);
    try {
      if (socket == null) {
        throw new IOException("pgjdbc did not use its socket factory");
      }
      identify(connection, primary);
      boolean withSlot = makeSlot(connection);
      CopyDual stream;
      try {
        stream = stream(connection, start, withSlot);
      } catch (SQLException e) {
        if (!OBJECT_IN_USE.equals(e.getSQLState())) {
          throw e;
        }
        // Another receiver's connection, perhaps a dead one, holds the slot. It keeps the WAL as
        // well as ours would; commits need not wait until it is gone.
        log.info("the replication slot is in use; streaming without it for now");
        withSlot = false;
        stream = stream(connection, start, false);
      }
      return new PrimaryConnection(
          connection, socket, socket.getOutputStream(), stream, withSlot, silence);
    } catch (SQLException | IOException | RuntimeException e) {
      closeQuietly(connection, socket);
      throw e;
    }
  }

  private static Connection connect(Primary primary, String key, Duration silence)
      throws SQLException {
    String seconds = Long.toString(Math.max(1, silence.toSeconds()));
    var settings = new Properties();
    settings.setProperty("user", primary.user());
    settings.setProperty("password", primary.password().reveal());
    settings.setProperty("replication", "true");
    settings.setProperty("assumeMinServerVersion", "14");
    settings.setProperty("preferQueryMode", "simple");
    settings.setProperty("ApplicationName", primary.standbyName().reveal());
    settings.setProperty("sslmode", "disable");
    settings.setProperty("gssEncMode", "disable");
    settings.setProperty("connectTimeout", seconds);
    settings.setProperty("loginTimeout", "0");
    settings.setProperty("socketTimeout", seconds);
    settings.setProperty("socketFactory", TapSocketFactory.class.getName());
    settings.setProperty("socketFactoryArg", key);
    String url = "jdbc:postgresql://" + primary.host() + ":" + primary.port() + "/postgres";
    try {
      Connection connection = new Driver().connect(url, settings);
      if (connection == null) {
        throw new SQLException("not an address: " + primary.host());
      }
      return connection;
    } catch (SQLException e) {
      closeQuietly(null, TapSocketFactory.take(key));
      throw e;
    }
  }

  private static void identify(Connection connection, Primary primary) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery("IDENTIFY_SYSTEM")) {
      row.next();
      String system = row.getString("systemid");
      int timeline = row.getInt("timeline");
      if (!Long.toUnsignedString(primary.systemIdentifier()).equals(system) || timeline != 1) {
        throw new EbbException.Corrupt(
            "port "
                + primary.port()
                + " of "
                + primary.host()
                + " is system "
                + system
                + " on timeline "
                + timeline
                + ", not system "
                + Long.toUnsignedString(primary.systemIdentifier())
                + " on timeline 1");
      }
    }
  }

  /** Makes the slot where it is missing; false where the primary has no room for it. */
  private static boolean makeSlot(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      if (connection.getMetaData().getDatabaseMajorVersion() >= READ_SLOT_SINCE_MAJOR) {
        try (ResultSet row = statement.executeQuery("READ_REPLICATION_SLOT " + SLOT)) {
          if (row.next() && row.getString("slot_type") != null) {
            return true;
          }
        }
      }
      statement.execute("CREATE_REPLICATION_SLOT " + SLOT + " PHYSICAL RESERVE_WAL");
      return true;
    } catch (SQLException e) {
      if ("42710".equals(e.getSQLState())) {
        return true;
      }
      log.warn(
          "no replication slot: WAL that the log does not have may be recycled: {}",
          e.getMessage());
      return false;
    }
  }

  private static CopyDual stream(Connection connection, Lsn start, boolean withSlot)
      throws SQLException {
    String slot = withSlot ? "SLOT " + SLOT + " " : "";
    return connection
        .unwrap(PGConnection.class)
        .getCopyAPI()
        .copyDual("START_REPLICATION " + slot + "PHYSICAL " + start + " TIMELINE 1");
  }

  /** A status asks for an answer where nothing has been heard for so long. */
  Duration askAfter() {
    return silence.dividedBy(3);
  }

  /** Whether the slot moves with what is confirmed here. */
  boolean withSlot() {
    return withSlot;
  }

  /** The next message; null when the primary ended the stream, as it does when it shuts down. */
  @Nullable StreamMessage read() throws SQLException {
    byte[] message = stream.readFromCopy(true);
    return message == null ? null : StreamMessage.parse(message);
  }

  /**
   * Whether the next message has begun to arrive, so that reading it does not wait for the primary.
   */
  boolean hasMore() throws IOException {
    return socket.hasMore();
  }

  /** Confirms everything up to {@code durable}. Past pgjdbc, which writes nothing in copy mode. */
  void sendStatus(Lsn durable, boolean replyRequested) throws IOException {
    out.write(StreamMessage.status(durable, replyRequested, Instant.now()));
  }

  /** Says what queries on standbys need; see {@link StreamMessage#feedback}. */
  void sendFeedback(long oldestTransaction) throws IOException {
    out.write(StreamMessage.feedback(oldestTransaction, Instant.now()));
  }

  @Override
  public void close() {
    closeQuietly(connection, socket);
  }

  /** The socket first: pgjdbc's close waits for the lock that a read holds. */
  private static void closeQuietly(@Nullable Connection connection, @Nullable TapSocket socket) {
    try {
      if (socket != null) {
        socket.close();
      }
      if (connection != null) {
        connection.close();
      }
    } catch (SQLException | IOException e) {
      log.debug("a replication connection did not close cleanly", e);
    }
  }
}
