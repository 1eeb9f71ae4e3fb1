package dev.ebb.gateway.console;

import dev.ebb.gateway.console.ConsoleText.Word;
import dev.ebb.gateway.protocol.ProtocolViolation;
import dev.ebb.gateway.protocol.SqlState;
import io.netty.buffer.ByteBuf;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The server's side of PostgreSQL's protocol, for one client of the console: the simple query
 * protocol, and of the extended one what drivers need for statements without parameters. See
 * PostgreSQL's "Message Flow" chapter. Confined to the client's event loop.
 */
public final class ConsoleSession {
  private static final Logger log = LoggerFactory.getLogger(ConsoleSession.class);
  private static final int HEADER_BYTES = 5;
  private static final int MAX_MESSAGE_BYTES = 32 << 10;
  private static final int MAX_NAMES = 100;

  private final ConsoleCommands commands;
  private final Client client;
  private final Map<String, Answer> prepared = new LinkedHashMap<>();
  private final Map<String, Portal> portals = new LinkedHashMap<>();

  /** Statements that are being executed; nothing is read meanwhile. */
  private int pending;

  /** After an error of the extended protocol: everything up to the next Sync is ignored. */
  private boolean skipping;

  private long statements;

  /** Read by whatever works for the client elsewhere. */
  private volatile boolean gone;

  /** The client's connection. */
  public interface Client {
    void send(Buffer bytes);

    /** Runs something on the client's event loop, where this session is confined to. */
    void onLoop(Runnable task);

    /** A statement is done: there may be more to read. */
    void proceed();

    /** The client says that it goes. */
    void bye();
  }

  /** A statement that was bound. */
  private static final class Portal {
    final Answer answer;
    final List<Short> formats;
    @Nullable Iterator<Answer.Row> rows;

    Portal(Answer answer, List<Short> formats) {
      this.answer = answer;
      this.formats = formats;
    }
  }

  ConsoleSession(ConsoleCommands commands, Client client) {
    this.commands = commands;
    this.client = client;
  }

  /** Tells the client that it may begin. */
  public void begin() {
    client.send(
        ConsoleMessages.parameterStatus("server_version", Console.SERVER_VERSION)
            .appendBuffer(ConsoleMessages.parameterStatus("server_encoding", "UTF8"))
            .appendBuffer(ConsoleMessages.parameterStatus("client_encoding", "UTF8"))
            .appendBuffer(ConsoleMessages.parameterStatus("DateStyle", "ISO, MDY"))
            .appendBuffer(ConsoleMessages.parameterStatus("TimeZone", "UTC"))
            .appendBuffer(ConsoleMessages.parameterStatus("integer_datetimes", "on"))
            .appendBuffer(ConsoleMessages.parameterStatus("standard_conforming_strings", "on"))
            .appendBuffer(ConsoleMessages.ready()));
  }

  /** The client is gone: nothing more is done for it. */
  public void closed() {
    gone = true;
  }

  /** How many statements were executed. */
  public long statements() {
    return statements;
  }

  public boolean isBusy() {
    return pending > 0;
  }

  /**
   * Deals with one message.
   *
   * @return whether there may be another one
   * @throws ProtocolViolation where the bytes are none
   */
  public boolean step(ByteBuf in) {
    if (pending > 0 || in.readableBytes() < HEADER_BYTES) {
      return false;
    }
    int start = in.readerIndex();
    byte type = in.getByte(start);
    int length = in.getInt(start + 1);
    if (length < 4 || length > MAX_MESSAGE_BYTES) {
      throw new ProtocolViolation("invalid message length");
    }
    if (in.readableBytes() <= length) {
      return false;
    }
    in.skipBytes(HEADER_BYTES);
    ByteBuf body = in.readSlice(length - 4);
    if (skipping && type != 'S' && type != 'X') {
      return true;
    }
    try {
      message(type, body);
    } catch (ConsoleException e) {
      failed(e, type == 'Q');
    } catch (IndexOutOfBoundsException e) {
      throw new ProtocolViolation("a message that ends too early");
    }
    return true;
  }

  private void message(byte type, ByteBuf body) {
    switch (type) {
      case 'Q' -> query(text(body));
      case 'P' -> parse(body);
      case 'B' -> bind(body);
      case 'D' -> describe(body);
      case 'E' -> execute(body);
      case 'C' -> close(body);
      case 'S' -> {
        skipping = false;
        portals.clear(); // as PostgreSQL does where no transaction is open
        client.send(ConsoleMessages.ready());
      }
      case 'H' -> {}
      case 'X' -> client.bye();
      case 'F' -> {
        client.send(
            ConsoleMessages.error(
                SqlState.FEATURE_NOT_SUPPORTED, "the console has no functions", ""));
        client.send(ConsoleMessages.ready());
      }
      case 'd', 'c', 'f' -> {} // as PostgreSQL does outside of a COPY
      default -> throw new ProtocolViolation("invalid frontend message type " + (type & 0xff));
    }
  }

  private static String text(ByteBuf body) {
    int length = body.bytesBefore((byte) 0);
    if (length < 0) {
      throw new ProtocolViolation("a text without an end");
    }
    String text = body.readCharSequence(length, StandardCharsets.UTF_8).toString();
    body.skipBytes(1);
    return text;
  }

  /** An error: the rest of a query, or all up to the next Sync, is not done. */
  private void failed(Throwable error, boolean simple) {
    if (error instanceof ConsoleException known) {
      client.send(
          ConsoleMessages.error(
              known.sqlState(), String.valueOf(known.getMessage()), known.hint()));
    } else {
      log.warn("a command of the console failed", error);
      client.send(
          ConsoleMessages.error("XX000", "it failed: the gateway's log has the reason", ""));
    }
    if (simple) {
      client.send(ConsoleMessages.ready());
    } else {
      skipping = true;
    }
  }

  // The simple protocol.

  private void query(String sql) {
    List<List<Word>> parts = ConsoleText.statements(sql);
    if (parts.isEmpty()) {
      client.send(ConsoleMessages.empty('I').appendBuffer(ConsoleMessages.ready()));
      return;
    }
    run(parts.iterator());
  }

  private void run(Iterator<List<Word>> parts) {
    if (!parts.hasNext()) {
      client.send(ConsoleMessages.ready());
      return;
    }
    Answer answer = commands.of(parts.next());
    var portal = new Portal(answer, List.of());
    if (answer instanceof Answer.Table table) {
      client.send(ConsoleMessages.rowDescription(table.columns(), List.of()));
    }
    after(
        execute(portal, 0),
        true,
        () -> {
          try {
            run(parts);
          } catch (ConsoleException e) {
            failed(e, true);
          }
        });
  }

  /**
   * What other event loops answer completes on whichever is the last, and so would all that follows
   * from it: from here on that is the client's own.
   */
  private <T> Future<T> here(Future<T> elsewhere) {
    if (elsewhere.isComplete()) {
      return elsewhere;
    }
    Promise<T> here = Promise.promise();
    elsewhere.onComplete(
        result -> client.onLoop(() -> here.complete(result)),
        error -> client.onLoop(() -> here.fail(error)));
    return here.future();
  }

  /** Goes on when something is done, now or later. */
  private void after(Future<Void> done, boolean simple, Runnable next) {
    if (done.succeeded()) {
      next.run();
      return;
    }
    if (done.failed()) {
      failed(done.cause(), simple);
      return;
    }
    pending++;
    done.onComplete(result -> {
      if (gone) {
        return;
      }
      try {
        if (result.succeeded()) {
          next.run();
        } else {
          failed(result.cause(), simple);
        }
      } finally {
        pending--; // what has just begun is counted by itself
      }
      client.proceed();
    });
  }

  /** Sends what a statement is answered with; at most so many rows, 0: all. */
  private Future<Void> execute(Portal portal, int maxRows) {
    statements++;
    return switch (portal.answer) {
      case Answer.Nothing nothing -> {
        client.send(ConsoleMessages.empty('I'));
        yield Future.succeededFuture();
      }
      case Answer.Act act ->
          here(act.run().apply(() -> gone))
              .map(notices -> {
                notices.forEach(notice -> client.send(ConsoleMessages.notice(notice)));
                client.send(ConsoleMessages.commandComplete(act.tag()));
                return null;
              });
      case Answer.Table table ->
          rows(portal, table)
              .map(rows -> {
                send(table, portal, rows, maxRows);
                return null;
              });
    };
  }

  private Future<Iterator<Answer.Row>> rows(Portal portal, Answer.Table table) {
    Iterator<Answer.Row> begun = portal.rows;
    if (begun != null) {
      return Future.succeededFuture(begun);
    }
    return here(table.rows().get()).map(all -> begin(portal, all));
  }

  private static Iterator<Answer.Row> begin(Portal portal, List<Answer.Row> all) {
    Iterator<Answer.Row> rows = all.iterator();
    portal.rows = rows;
    return rows;
  }

  private void send(Answer.Table table, Portal portal, Iterator<Answer.Row> rows, int maxRows) {
    Buffer out = Buffer.buffer();
    int count = 0;
    while (rows.hasNext() && (maxRows == 0 || count < maxRows)) {
      out.appendBuffer(ConsoleMessages.dataRow(table.columns(), rows.next(), portal.formats));
      count++;
    }
    client.send(
        out.appendBuffer(
            rows.hasNext() ? ConsoleMessages.empty('s') : ConsoleMessages.commandComplete("SHOW")));
  }

  // The extended protocol.

  private void parse(ByteBuf body) {
    String name = text(body);
    List<List<Word>> parts = ConsoleText.statements(text(body));
    if (parts.size() > 1) {
      throw new ConsoleException(
          ConsoleException.SYNTAX_ERROR,
          "cannot insert multiple commands into a prepared statement",
          "");
    }
    if (!name.isEmpty() && prepared.containsKey(name)) {
      throw new ConsoleException("42P05", "prepared statement \"" + name + "\" already exists", "");
    }
    requireRoom(prepared.size());
    prepared.put(name, commands.of(parts.isEmpty() ? List.of() : parts.getFirst()));
    client.send(ConsoleMessages.empty('1'));
  }

  private static void requireRoom(int names) {
    if (names >= MAX_NAMES) {
      throw new ConsoleException("54000", "too many prepared statements or portals", "");
    }
  }

  private void bind(ByteBuf body) {
    String portal = text(body);
    Answer answer = statement(text(body));
    formats(body);
    if (body.readUnsignedShort() != 0) {
      throw new ConsoleException(
          SqlState.FEATURE_NOT_SUPPORTED,
          "the console's statements have no parameters",
          "Write the value into the statement.");
    }
    requireRoom(portals.size());
    portals.put(portal, new Portal(answer, formats(body)));
    client.send(ConsoleMessages.empty('2'));
  }

  private static List<Short> formats(ByteBuf body) {
    int count = body.readUnsignedShort();
    var formats = new ArrayList<Short>(Math.min(count, 64));
    for (int i = 0; i < count; i++) {
      formats.add(body.readShort());
    }
    return formats;
  }

  private Answer statement(String name) {
    Answer answer = prepared.get(name);
    if (answer == null) {
      throw new ConsoleException(
          SqlState.UNDEFINED_STATEMENT, "prepared statement \"" + name + "\" does not exist", "");
    }
    return answer;
  }

  private Portal portal(String name) {
    Portal portal = portals.get(name);
    if (portal == null) {
      throw new ConsoleException("34000", "portal \"" + name + "\" does not exist", "");
    }
    return portal;
  }

  private void describe(ByteBuf body) {
    boolean isStatement = body.readByte() == 'S';
    String name = text(body);
    Answer answer;
    List<Short> formats;
    if (isStatement) {
      answer = statement(name);
      formats = List.of();
      client.send(ConsoleMessages.noParameters());
    } else {
      answer = portal(name).answer;
      formats = portal(name).formats;
    }
    client.send(
        answer instanceof Answer.Table table
            ? ConsoleMessages.rowDescription(table.columns(), formats)
            : ConsoleMessages.empty('n'));
  }

  private void execute(ByteBuf body) {
    Portal portal = portal(text(body));
    after(execute(portal, Math.max(0, body.readInt())), false, () -> {});
  }

  private void close(ByteBuf body) {
    boolean isStatement = body.readByte() == 'S';
    String name = text(body);
    if (isStatement) {
      prepared.remove(name);
    } else {
      portals.remove(name);
    }
    client.send(ConsoleMessages.empty('3'));
  }
}
