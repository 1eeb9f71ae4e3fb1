package dev.ebb.walservice.send;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Names;
import dev.ebb.shared.scram.ScramExchange;
import dev.ebb.shared.scram.ScramViolation;
import dev.ebb.walservice.protocol.CommandParser;
import dev.ebb.walservice.protocol.Frame;
import dev.ebb.walservice.protocol.ReplicationCommand;
import dev.ebb.walservice.protocol.Reply;
import dev.ebb.walservice.protocol.SqlError;
import dev.ebb.walservice.protocol.StandbyMessage;
import dev.ebb.walservice.protocol.Startup;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client's connection: login, commands, streaming. It reads on the thread that runs it; while
 * WAL is streamed, {@link Streaming} writes on another. The watch of {@link WalSender} ends it
 * where the client has gone silent.
 */
final class SenderSession implements Runnable {
  private static final Logger log = LoggerFactory.getLogger(SenderSession.class);
  private static final int BUFFER_BYTES = 64 << 10;

  private static final long LAST_WORD_NANOS = Duration.ofMillis(500).toNanos();

  /** TLS may be asked for, then GSS. */
  private static final int MAX_ENCRYPTION_REQUESTS = 2;

  /** What the sessions of one server share. */
  record Services(
      WalSenderConfig config,
      ServedBranch.Directory branches,
      WalHistory.Source histories,
      Logins logins,
      Seats seats,
      SenderMetrics metrics,
      java.time.Clock clock) {}

  /** Makes the exchange that a client is judged by. */
  interface Logins {
    ScramExchange exchange();
  }

  private enum Login {
    UNDER_WAY,
    DONE,
    /** It took too long, with others waiting. */
    GIVEN_UP
  }

  private final Socket socket;
  private final Services services;
  private final SenderState state;
  private final DataInputStream in;
  private final OutputStream out;
  private final long beganNanos = System.nanoTime();
  private final AtomicReference<Login> login = new AtomicReference<>(Login.UNDER_WAY);
  private volatile boolean admitted;
  private volatile @Nullable Streaming streaming;
  private volatile Streaming.@Nullable Finish ending;

  SenderSession(Socket socket, Services services) throws IOException {
    this.socket = socket;
    this.services = services;
    this.state = new SenderState(String.valueOf(socket.getRemoteSocketAddress()));
    this.in = new DataInputStream(new BufferedInputStream(socket.getInputStream(), BUFFER_BYTES));
    this.out = new BufferedOutputStream(socket.getOutputStream(), BUFFER_BYTES);
  }

  SenderState state() {
    return state;
  }

  /** How long the client has taken to log in; 0 once it has. */
  long loginNanos() {
    return login.get() == Login.DONE ? 0 : System.nanoTime() - beganNanos;
  }

  boolean isLoggingIn() {
    return login.get() == Login.UNDER_WAY;
  }

  /** Ends it where it has not logged in yet; false where it has. */
  boolean giveWay() {
    boolean gaveWay = login.compareAndSet(Login.UNDER_WAY, Login.GIVEN_UP);
    if (gaveWay) {
      close();
    }
    return gaveWay;
  }

  /** Whether it has one of the places of those who have logged in. */
  boolean isAdmitted() {
    return admitted;
  }

  /** Has it end: a stream says so to its client first. */
  void end(Streaming.Finish how) {
    ending = how;
    Streaming running = streaming;
    if (running == null) {
      close();
    } else {
      running.finish(how);
    }
  }

  /** A connection that is closed at once may lose the last words on their way. */
  private void closeBehindLastWord() {
    try {
      socket.shutdownOutput();
    } catch (IOException e) {
      close();
      return;
    }
    Thread.ofVirtual()
        .start(() -> {
          LockSupport.parkNanos(LAST_WORD_NANOS);
          close();
        });
  }

  void close() {
    try {
      socket.close();
    } catch (IOException e) {
      log.debug("the connection of {} did not close", state.client, e);
    }
  }

  @Override
  public void run() {
    try {
      Startup.Connect connect = startUp();
      if (connect != null && authenticate()) {
        serve(connect);
      }
    } catch (SqlError e) {
      refuse(e);
    } catch (ScramViolation e) {
      refuse(SqlError.fatal(SqlError.PROTOCOL_VIOLATION, String.valueOf(e.getMessage())));
    } catch (IOException e) {
      log.debug("the connection of {} is lost", state.client, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (EbbException e) {
      if (!(e instanceof EbbException.NotFound)) {
        log.warn("{} cannot be served: {}", state.client, e.getMessage());
      }
      refuse(SenderErrors.of(e, true));
    } catch (RuntimeException | Error e) {
      log.error("the session of {} failed", state.client, e);
      refuse(SqlError.fatal(SqlError.INTERNAL_ERROR, "internal error in the WAL sender"));
    } finally {
      close();
    }
  }

  private void refuse(SqlError error) {
    log.debug("{} is refused: {}", state.client, error.getMessage());
    try {
      write(Reply.error(error));
    } catch (IOException e) {
      log.debug("the connection of {} is lost", state.client, e);
    }
  }

  private void write(byte[]... messages) throws IOException {
    for (byte[] message : messages) {
      out.write(message);
    }
    out.flush();
  }

  /** The wish of a client that wants replication; null where it went away. */
  private Startup.@Nullable Connect startUp() throws IOException {
    for (int requests = 0; requests <= MAX_ENCRYPTION_REQUESTS; requests++) {
      byte[] packet = Frame.readStartup(in);
      if (packet == null) {
        return null;
      }
      switch (Startup.parse(packet)) {
        case Startup.EncryptionRequest request -> write(Reply.noEncryption());
        case Startup.CancelRequest request -> {
          return null;
        }
        case Startup.Connect connect -> {
          if (connect.minor() > 0 || !connect.unknownOptions().isEmpty()) {
            write(Reply.negotiateVersion(connect.unknownOptions()));
          }
          connect.requireReplication();
          return connect;
        }
      }
    }
    throw SqlError.fatal(SqlError.PROTOCOL_VIOLATION, "too many requests for encryption");
  }

  /** SCRAM-SHA-256; nothing is told about branches before it. */
  private boolean authenticate() throws IOException {
    ScramExchange exchange = services.logins().exchange();
    write(Reply.authenticationSasl(ScramExchange.MECHANISM));
    Frame first = saslMessage();
    if (first == null) {
      return false;
    }
    List<String> initial = first.saslInitialResponse();
    if (!initial.getFirst().equals(ScramExchange.MECHANISM)) {
      throw SqlError.fatal(
          SqlError.PROTOCOL_VIOLATION, "client selected an invalid SASL authentication mechanism");
    }
    write(Reply.saslContinue(exchange.first(initial.getLast())));
    Frame last = saslMessage();
    if (last == null) {
      return false;
    }
    String clientFinal = new String(last.body(), java.nio.charset.StandardCharsets.US_ASCII);
    return switch (exchange.last(clientFinal)) {
      case ScramExchange.Proven proven -> {
        if (!login.compareAndSet(Login.UNDER_WAY, Login.DONE)) {
          yield false;
        }
        admitted = services.seats().admit();
        if (!admitted) {
          throw SqlError.fatal(SqlError.TOO_MANY_CONNECTIONS, "sorry, too many clients already");
        }
        write(Reply.saslFinal(proven.serverFinal()), Reply.authenticationOk());
        yield true;
      }
      case ScramExchange.Rejected rejected -> {
        services.metrics().loginRefused();
        throw SqlError.fatal(SqlError.INVALID_PASSWORD, "password authentication failed")
            .withHint("The password is the WAL sender's token.");
      }
    };
  }

  private @Nullable Frame saslMessage() throws IOException {
    Frame frame = Frame.read(in, Frame.MAX_LOGIN_BYTES);
    if (frame == null || frame.type() == 'X') {
      return null;
    }
    if (frame.type() != 'p') {
      throw SqlError.fatal(
          SqlError.PROTOCOL_VIOLATION,
          "expected SASL response, got message type " + (int) frame.type());
    }
    return frame;
  }

  private void serve(Startup.Connect connect) throws IOException, InterruptedException {
    ServedBranch branch = services.branches().find(connect.user());
    state.authenticated(branch, Names.printable(connect.applicationName()));
    Lsn has = has(connect);
    greet(branch, connect);
    try (var commands = new SenderCommands(branch, services.histories(), has)) {
      while (ending == null) {
        Frame frame = Frame.read(in, Frame.MAX_BYTES);
        if (frame == null || frame.type() == 'X') {
          return;
        }
        take(frame, commands);
      }
    }
    throw SqlError.fatal(SqlError.ADMIN_SHUTDOWN, "terminating connection: the WAL sender stops");
  }

  /** See {@link SenderCommands}. */
  private static Lsn has(Startup.Connect connect) {
    String value = connect.settings().get("ebb.has");
    try {
      return value == null ? Lsn.INVALID : Lsn.parse(value);
    } catch (IllegalArgumentException e) {
      throw SqlError.fatal("22023", "invalid value for parameter \"ebb.has\"");
    }
  }

  private void greet(ServedBranch branch, Startup.Connect connect) throws IOException {
    write(
        Reply.parameterStatus("server_version", branch.serverVersion()),
        Reply.parameterStatus("server_encoding", "UTF8"),
        Reply.parameterStatus("client_encoding", "UTF8"),
        Reply.parameterStatus("application_name", Names.printable(connect.applicationName())),
        Reply.parameterStatus("integer_datetimes", "on"),
        Reply.parameterStatus("standard_conforming_strings", "on"),
        Reply.parameterStatus("DateStyle", "ISO, MDY"),
        Reply.parameterStatus("TimeZone", "UTC"),
        Reply.parameterStatus("is_superuser", "off"),
        // Spares clients with target_session_attrs a question that is SQL.
        Reply.parameterStatus("in_hot_standby", "off"),
        Reply.parameterStatus("default_transaction_read_only", "off"),
        Reply.parameterStatus("session_authorization", Names.printable(connect.user())),
        Reply.backendKeyData(1, 0),
        Reply.readyForQuery());
  }

  private void take(Frame frame, SenderCommands commands) throws IOException, InterruptedException {
    switch (frame.type()) {
      case 'Q' -> {
        try {
          execute(frame.text(), commands);
        } catch (SqlError e) {
          if (e.isFatal()) {
            throw e;
          }
          write(Reply.error(e));
        }
        if (ending == null && !socket.isClosed()) {
          write(Reply.readyForQuery());
        }
      }
      case 'S' -> write(Reply.readyForQuery());
      // Left over from a stream that ended in an error, or of no effect.
      case 'H', 'd', 'c', 'f' -> {}
      case 'P', 'B', 'E', 'C', 'D', 'F' ->
          throw SqlError.fatal(
              SqlError.PROTOCOL_VIOLATION,
              "extended query protocol not supported in a replication connection");
      default ->
          throw SqlError.fatal(
              SqlError.PROTOCOL_VIOLATION, "invalid frontend message type " + (int) frame.type());
    }
  }

  private void execute(String text, SenderCommands commands)
      throws IOException, InterruptedException {
    ReplicationCommand command = CommandParser.parse(text);
    if (command instanceof ReplicationCommand.StartPhysical start) {
      stream(commands.start(start));
    } else {
      out.write(commands.answer(command));
    }
  }

  private void stream(SenderCommands.Start start) throws IOException, InterruptedException {
    log.info(
        "streaming the log of {} from {} to {}", start.branch().name(), start.at(), state.client);
    var sending =
        new Streaming(
            out,
            start.history(),
            start.at(),
            start.prefix(),
            start.end(),
            state,
            services.metrics(),
            services.clock(),
            services.config().timeout(),
            this::closeBehindLastWord);
    Thread thread = Thread.ofVirtual().name("wal-send-" + state.client).unstarted(sending);
    state.streaming(true);
    streaming = sending;
    Streaming.Finish meanwhile = ending;
    if (meanwhile != null) {
      sending.finish(meanwhile);
    }
    Streaming.Finish how = Streaming.Finish.ABANDONED;
    try {
      // Known before the client hears of it: whoever ends it from now on is heard.
      write(Reply.copyBoth());
      thread.start();
      how = listen(sending);
    } finally {
      sending.finish(how);
      if (how == Streaming.Finish.ABANDONED) {
        close(); // it may be waiting for room
      }
      thread.join();
      streaming = null;
      state.streaming(false);
    }
  }

  /** Hears the standby out while WAL is sent to it. */
  private Streaming.Finish listen(Streaming sending) throws IOException {
    while (true) {
      Frame frame = Frame.read(in, Frame.MAX_BYTES);
      if (frame == null || frame.type() == 'X') {
        return Streaming.Finish.ABANDONED;
      }
      state.heard();
      switch (frame.type()) {
        case 'd' -> {
          StandbyMessage message = StandbyMessage.parse(frame.body());
          state.said(message);
          if (message instanceof StandbyMessage.Status status && status.replyRequested()) {
            sending.reply();
          }
        }
        case 'c' -> {
          return Streaming.Finish.DONE;
        }
        case 'H', 'S' -> {}
        default -> {
          log.warn("{} broke the protocol: message type {}", state.client, (int) frame.type());
          return Streaming.Finish.ABANDONED;
        }
      }
    }
  }
}
