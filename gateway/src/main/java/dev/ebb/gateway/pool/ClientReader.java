package dev.ebb.gateway.pool;

import dev.ebb.gateway.protocol.ErrorResponse;
import dev.ebb.gateway.protocol.SqlState;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads what a client sends, message by message, and turns it into what its connection is asked:
 * most of it passes as it is, names of statements become the gateway's. Confined to one event loop.
 */
final class ClientReader {
  private static final Logger log = LoggerFactory.getLogger(ClientReader.class);
  private static final int HEADER_BYTES = 5;

  /** {@code PQ_LARGE_MESSAGE_LIMIT} of PostgreSQL's libpq.h. */
  private static final int MAX_MESSAGE_BYTES = 0x3fffffff;

  /** A statement's text is kept for as long as the client may bind it. */
  private static final int MAX_PARSE_BYTES = 16 << 20;

  /** Names of portals and statements, in front of a Bind's parameters. */
  private static final int MAX_NAMES_BYTES = 16 << 10;

  /** What is read ahead of a client that has to wait: only what is read shows that it is gone. */
  private static final int MAX_AHEAD_BYTES = 64 << 10;

  /** In the words of PostgreSQL's copyfromparse.c. */
  static final ErrorResponse BREAKS_COPY =
      ErrorResponse.fatal(
          SqlState.PROTOCOL_VIOLATION, "unexpected message type during COPY from stdin");

  /** Answers that are still to come, ahead of which a client may ask for more. */
  private static final int MAX_AWAITED = 4_096;

  private final PooledClient client;
  private final Channel channel;
  private final ClientStatements statements;
  private @Nullable ByteBuf rest;

  /** Bytes of a message whose beginning was dealt with. */
  private int streaming;

  private boolean dropping;

  /** Where what can be passed on as it is begins in {@code rest}; -1: nothing is to be. */
  private int run = -1;

  /** After an error of the gateway's own: everything up to the next Sync is ignored. */
  private boolean ignoring;

  /** Something was sent behind the last Sync. */
  private boolean unsynced;

  /**
   * What is on its way may prepare or close statements, or fail to: what comes behind the next Sync
   * has to wait for the outcome.
   */
  private boolean changing;

  /** What is at hand waits for what was asked before; no more is read than a little. */
  private boolean waits;

  /** The client has said that it goes, and waits for what it has asked before. */
  private boolean leaving;

  /** The client does not keep to the protocol, or asks for more than there is. */
  private static final class Violation extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String sqlState;

    Violation(String sqlState, String message) {
      super(message, null, false, false);
      this.sqlState = sqlState;
    }
  }

  /**
   * @param early bytes that arrived already
   */
  ClientReader(PooledClient client, Channel channel, ByteBuf early) {
    this.client = client;
    this.channel = channel;
    this.statements = client.statements();
    this.rest = Unpooled.buffer(256).writeBytes(early);
  }

  /** Takes the bytes over. */
  void received(ByteBuf chunk) {
    ByteBuf earlier = rest;
    if (earlier == null) {
      rest = chunk;
    } else {
      earlier.discardReadBytes().writeBytes(chunk);
      chunk.release();
    }
    proceed();
  }

  /** Whether nothing of what was sent is unfinished but what the compute was asked to finish. */
  boolean isBetweenTransactions() {
    return !unsynced && (streaming == 0 || dropping);
  }

  /** The compute has answered all that it was asked. */
  void allIsAnswered() {
    changing = false;
    statements.nothingDeallocates();
    proceedLater();
  }

  /** The compute has answered a part of it. */
  void someIsAnswered() {
    PooledServer lent = client.server();
    if (leaving || (waits && lent != null && lent.isCopyingIn())) {
      proceedLater();
    }
  }

  /**
   * Whether the client has said that it goes. PostgreSQL reads that where it stands, behind all
   * that was asked before, which it answers.
   */
  boolean isLeaving() {
    return leaving || endsWithTerminate();
  }

  private boolean endsWithTerminate() {
    ByteBuf in = rest;
    if (in == null) {
      return false;
    }
    long at = (long) in.readerIndex() + streaming;
    while (at + HEADER_BYTES <= in.writerIndex()) {
      int length = in.getInt((int) at + 1);
      long behind = at + (length < 4 ? Integer.MAX_VALUE : length + 1L);
      if (in.getByte((int) at) == 'X') {
        return behind <= in.writerIndex();
      }
      at = behind;
    }
    return false;
  }

  /** A Sync went into what is copied in: the client will send another one. */
  void syncIgnored() {
    unsynced = true;
    proceedLater();
  }

  /** Goes on with what is at hand, when what goes on now is over. */
  void proceedLater() {
    if (rest != null) {
      channel.eventLoop().execute(this::proceed);
    }
  }

  /** The connection is another one, or none: what was kept for it goes nowhere. */
  void forgetKept() {
    run = -1;
  }

  /** Nothing more is read. */
  void end() {
    pass();
    ByteBuf left = rest;
    rest = null;
    if (left != null) {
      left.release();
    }
  }

  /**
   * Answers the message that waits with an error, and ignores what belongs to it.
   *
   * @return whether there is one
   */
  boolean answerWaiting(ErrorResponse error) {
    ByteBuf in = rest;
    if (in == null || in.readableBytes() < HEADER_BYTES) {
      return false;
    }
    byte type = in.getByte(in.readerIndex());
    client.write(Messages.error(error.sqlState(), error.message()));
    if (type == 'Q' || type == 'F') {
      drop(in, in.getInt(in.readerIndex() + 1) + 1);
      client.write(Messages.ready((byte) 'I'));
    } else {
      ignoring = true;
    }
    return true;
  }

  /** Does what the bytes at hand allow. */
  void proceed() {
    if (client.isEnded()) {
      return;
    }
    try {
      if (client.mayWork()) {
        work();
      }
    } catch (Violation e) {
      log.debug("a client broke the protocol: {}", e.getMessage());
      pass();
      client.refuse(ErrorResponse.fatal(e.sqlState, String.valueOf(e.getMessage())));
      return;
    } catch (RuntimeException e) {
      log.error("a session failed", e);
      client.refuse(ErrorResponse.fatal("XX000", "internal error in the gateway"));
      return;
    }
    ByteBuf left = rest;
    if (left == null || client.isEnded()) {
      return;
    }
    if (!left.isReadable()) {
      left.release();
      rest = null;
    } else if (left.isDirect() || left.refCnt() > 1 || left.maxFastWritableBytes() < HEADER_BYTES) {
      ByteBuf own = Unpooled.buffer(Math.max(256, left.readableBytes()));
      own.writeBytes(left);
      left.release();
      rest = own;
    }
    readMore((client.mayWork() && !waits) || left.readableBytes() < MAX_AHEAD_BYTES);
  }

  /** The client takes bytes again. */
  void resume() {
    proceed();
    if (rest == null && !client.isEnded()) {
      readMore(true);
    }
  }

  void readMore(boolean more) {
    PooledServer lent = client.server();
    channel
        .config()
        .setAutoRead(more && channel.isWritable() && (lent == null || lent.channel().isWritable()));
  }

  private void work() {
    ByteBuf in = rest;
    while (client.mayWork() && in != null && in.isReadable() && channel.isWritable() && step(in)) {}
    pass();
    PooledServer lent = client.server();
    if (lent != null) {
      lent.flush();
    }
    channel.flush();
    if (lent != null && lent.isUsed()) {
      client
          .releaseIfOver(); // where no answer follows that would tell, as behind a COPY that failed
    }
  }

  /** Deals with a message, or with a part of one. */
  private boolean step(ByteBuf in) {
    waits = false;
    if (streaming > 0) {
      int bytes = Math.min(streaming, in.readableBytes());
      streaming -= bytes;
      if (dropping) {
        in.skipBytes(bytes);
      } else {
        keep(in, bytes);
      }
      return true;
    }
    if (in.readableBytes() < HEADER_BYTES) {
      requireKnown(in.getByte(in.readerIndex()));
      return false;
    }
    int at = in.readerIndex();
    byte type = in.getByte(at);
    requireKnown(type);
    int length = in.getInt(at + 1);
    if (length < 4 || length > MAX_MESSAGE_BYTES) {
      throw new Violation(SqlState.PROTOCOL_VIOLATION, "invalid message length");
    }
    if (ignoring) {
      return ignore(in, type, length);
    }
    if (isSmall(type) && length > MAX_NAMES_BYTES) {
      throw new Violation(SqlState.PROTOCOL_VIOLATION, "invalid message length");
    }
    if ((type == 'S' || type == 'H') && length != 4) {
      throw new Violation(SqlState.PROTOCOL_VIOLATION, "invalid message format");
    }
    if (type == 'P' && length > MAX_PARSE_BYTES) {
      throw new Violation(
          SqlState.FEATURE_NOT_SUPPORTED,
          "a prepared statement of more than "
              + MAX_PARSE_BYTES
              + " bytes needs a session of its own: use the port without pooling");
    }
    boolean isWhole = in.readableBytes() > length;
    if (!isWhole
        && (isSmall(type)
            || type == 'P'
            || (type == 'Q' && length <= Statements.MAX_JUDGED_BYTES))) {
      return false;
    }
    PooledServer lent = client.server();
    if (lent == null) {
      return withoutServer(in, type, length);
    }
    if (lent.isSkipping() && type != 'S' && type != 'X') {
      drop(in, length + 1);
      return true;
    }
    if (lent.isCopyingIn() && type != 'S' && !isOfCopy(type)) {
      throw new Violation(BREAKS_COPY.sqlState(), BREAKS_COPY.message());
    }
    boolean mustWait = changing || lent.isDoubtful() || lent.awaitedCount() > MAX_AWAITED;
    if (mustWait && !unsynced && !lent.isQuiet() && !isOfCopy(type)) {
      waits = true;
      return false;
    }
    return withServer(lent, in, type, length);
  }

  private static boolean isOfCopy(byte type) {
    return switch (type) {
      case 'd', 'c', 'f', 'H', 'X' -> true;
      default -> false;
    };
  }

  private static void requireKnown(byte type) {
    switch (type) {
      case 'Q', 'P', 'B', 'D', 'E', 'C', 'S', 'H', 'F', 'd', 'c', 'f', 'X' -> {}
      default ->
          throw new Violation(
              SqlState.PROTOCOL_VIOLATION, "invalid frontend message type " + (type & 0xFF));
    }
  }

  private static boolean isSmall(byte type) {
    return switch (type) {
      case 'D', 'E', 'C', 'S', 'H', 'c', 'X' -> true;
      default -> false;
    };
  }

  private boolean ignore(ByteBuf in, byte type, int length) {
    if (type == 'S') {
      ignoring = false;
      in.skipBytes(length + 1);
      client.write(Messages.ready((byte) 'I'));
    } else if (type == 'X') {
      client.bye();
      return false;
    } else {
      drop(in, length + 1);
    }
    return true;
  }

  private void drop(ByteBuf in, int bytes) {
    pass();
    int here = Math.min(bytes, in.readableBytes());
    in.skipBytes(here);
    streaming = bytes - here;
    dropping = true;
  }

  private boolean withoutServer(ByteBuf in, byte type, int length) {
    return switch (type) {
      case 'X' -> {
        client.bye();
        yield false;
      }
      case 'S' -> {
        in.skipBytes(length + 1);
        client.write(Messages.ready((byte) 'I'));
        yield true;
      }
      case 'H' -> {
        in.skipBytes(length + 1);
        yield true;
      }
      case 'd', 'c', 'f' -> {
        // As PostgreSQL does: a client may still be sending after a COPY has failed.
        drop(in, length + 1);
        yield true;
      }
      case 'P' -> parseKnown(in, length) || client.acquire();
      case 'C' -> closeKnown(in, length) || client.acquire();
      default -> client.acquire();
    };
  }

  /**
   * What some compute has accepted already needs none to be accepted again: nobody waits for a
   * connection in order to prepare what all prepare.
   */
  private boolean parseKnown(ByteBuf in, int length) {
    var parse = Parse.read(in, length);
    boolean isKnown = statements.isProven(parse.name(), parse.definition(), client.scope());
    if (isKnown) {
      var _ = statements.prepare(parse.name(), parse.definition(), client.scope());
      in.skipBytes(length + 1);
      client.write(Unpooled.wrappedBuffer(PooledServer.PARSE_COMPLETE));
    }
    return isKnown;
  }

  private boolean closeKnown(ByteBuf in, int length) {
    String name = statementName(in, length);
    if (name == null || name.isEmpty()) {
      return false;
    }
    statements.drop(name);
    in.skipBytes(length + 1);
    client.write(Unpooled.wrappedBuffer(PooledServer.CLOSE_COMPLETE));
    return true;
  }

  private boolean withServer(PooledServer lent, ByteBuf in, byte type, int length) {
    switch (type) {
      case 'Q' -> {
        return query(lent, in, length);
      }
      case 'P' -> parse(lent, in, length);
      case 'B' -> {
        return bind(lent, in, length);
      }
      case 'D' -> describe(lent, in, length);
      case 'C' -> close(lent, in, length);
      case 'E' -> {
        unsynced = true;
        lent.await(Awaited.EXECUTE);
        keep(in, length + 1);
      }
      case 'H' -> keep(in, length + 1);
      case 'S' -> {
        keep(in, length + 1);
        if (lent.isCopyingIn()) {
          lent.syncInCopy();
        } else {
          unsynced = false;
          lent.await(Awaited.SYNC);
        }
      }
      case 'F' -> {
        client.suspect();
        lent.await(Awaited.FUNCTION);
        keep(in, length + 1);
      }
      case 'd' -> keep(in, length + 1);
      case 'c', 'f' -> {
        keep(in, length + 1);
        lent.copyEnds();
      }
      case 'X' -> {
        if (lent.isBusy()) {
          leaving = true;
          waits = true;
        } else {
          client.bye();
        }
        return false;
      }
      default -> throw new IllegalStateException("unreachable: " + type);
    }
    return true;
  }

  /** Passes the message on as it is, or as much of it as there is. */
  private void keep(ByteBuf in, int bytes) {
    if (run < 0) {
      run = in.readerIndex();
    }
    int here = Math.min(bytes, in.readableBytes());
    in.skipBytes(here);
    if (bytes > here) {
      streaming = bytes - here;
      dropping = false;
    }
  }

  /** Hands over what was kept. */
  void pass() {
    ByteBuf in = rest;
    PooledServer lent = client.server();
    if (run >= 0 && in != null && lent != null && in.readerIndex() > run) {
      lent.write(in.retainedSlice(run, in.readerIndex() - run));
      if (!lent.channel().isWritable()) {
        channel.config().setAutoRead(false);
      }
    }
    run = -1;
  }

  private boolean query(PooledServer lent, ByteBuf in, int length) {
    SqlTraits traits = SqlTraits.UNKNOWN;
    if (length <= Statements.MAX_JUDGED_BYTES) {
      var text = new byte[Math.max(0, length - 5)];
      in.getBytes(in.readerIndex() + HEADER_BYTES, text);
      traits = SqlTraits.of(text);
    }
    String name = traits.deallocates();
    Prepared statement = name == null ? null : statements.find(name);
    if (statement != null && !lent.isQuiet() && !unsynced) {
      changing = true; // whether the transaction has failed is told in a moment
      waits = true;
      return false;
    }
    judged(traits);
    if (name != null && statement != null && !lent.isFailed()) {
      // It has the client's name for as long as it takes to let it go by that.
      pass();
      byte[] bytes = name.getBytes(StandardCharsets.ISO_8859_1);
      lent.write(Messages.parse(channel.alloc(), bytes, statement.definition()));
      lent.await(Awaited.HIDDEN_PARSE_UNNAMED);
      lent.write(Messages.sync());
      lent.await(Awaited.HIDDEN_SYNC);
      statements.deallocates(name);
    }
    unsynced = false;
    endUnnamed(lent, Awaited.QUERY, null);
    keep(in, length + 1);
    return true;
  }

  private void parse(PooledServer lent, ByteBuf in, int length) {
    var parse = Parse.read(in, length);
    String name = parse.name();
    unsynced = true;
    changing = true;
    if (name.isEmpty()) {
      endUnnamed(lent, Awaited.PARSE_UNNAMED, Unnamed.of(parse.definition()));
      keep(in, length + 1);
      return;
    }
    pass();
    in.skipBytes(length + 1);
    Prepared existing = statements.find(name);
    if (existing != null) {
      // The compute says that the name is taken, as it would for one client.
      var _ = lent.statements().require(existing);
      lent.write(Messages.parse(channel.alloc(), existing.name(), parse.definition()));
      lent.await(new Awaited(Awaited.Kind.PARSE, false, null, name, null, null, null));
      return;
    }
    Prepared statement = statements.prepare(name, parse.definition(), client.scope());
    if (lent.knows(statement)) {
      lent.await(Awaited.parseKnown(statement, name));
      var _ = lent.statements().require(statement);
    } else {
      lent.statements().prepare(statement, Awaited.parse(statement, name));
    }
  }

  /** A message is on its way that puts another unnamed statement, or none, in the one's place. */
  private void endUnnamed(PooledServer lent, Awaited message, @Nullable Unnamed next) {
    Unnamed before = statements.unnamedIs(next);
    lent.statements().unnamedBecomes(next);
    lent.await(Awaited.ends(message, before));
  }

  /** A Parse as it is at hand: the statement's name and all behind it. */
  private record Parse(String name, byte[] definition) {

    static Parse read(ByteBuf in, int length) {
      int start = in.readerIndex() + HEADER_BYTES;
      int end = in.readerIndex() + length + 1;
      int nameEnd = zero(in, start, end);
      var definition = new byte[end - nameEnd - 1];
      in.getBytes(nameEnd + 1, definition);
      return new Parse(text(in, start, nameEnd), definition);
    }
  }

  /** The name of the statement that a Describe or Close is about; null where it is of a portal. */
  private static @Nullable String statementName(ByteBuf in, int length) {
    int start = in.readerIndex() + HEADER_BYTES;
    return length < 6 || in.getByte(start) != 'S'
        ? null
        : text(in, start + 1, zero(in, start + 1, in.readerIndex() + length + 1));
  }

  private static String text(ByteBuf in, int start, int end) {
    return in.toString(start, end - start, StandardCharsets.ISO_8859_1);
  }

  /** Where the next zero byte is. */
  private static int zero(ByteBuf in, int from, int end) {
    int at = in.indexOf(from, Math.min(end, in.writerIndex()), (byte) 0);
    if (at < 0) {
      throw new Violation(SqlState.PROTOCOL_VIOLATION, "invalid string in message");
    }
    return at;
  }

  private boolean bind(PooledServer lent, ByteBuf in, int length) {
    int start = in.readerIndex() + HEADER_BYTES;
    int end = Math.min(in.writerIndex(), in.readerIndex() + length + 1);
    int portalEnd = in.indexOf(start, end, (byte) 0);
    int nameEnd = portalEnd < 0 ? -1 : in.indexOf(portalEnd + 1, end, (byte) 0);
    if (nameEnd < 0) {
      if (in.readableBytes() > Math.min(length, MAX_NAMES_BYTES)) {
        throw new Violation(SqlState.PROTOCOL_VIOLATION, "invalid string in message");
      }
      return false;
    }
    unsynced = true;
    if (nameEnd == portalEnd + 1) {
      requireUnnamed(lent);
      Unnamed unnamed = statements.unnamed();
      if (unnamed != null) {
        judged(unnamed.traits());
      }
      lent.await(Awaited.BIND);
      keep(in, length + 1);
      return true;
    }
    String name = text(in, portalEnd + 1, nameEnd);
    Prepared statement = statements.find(name);
    byte[] nameThere;
    if (statement == null) {
      nameThere = ClientStatements.unknown(name);
      lent.await(Awaited.BIND);
    } else {
      pass();
      changing |= lent.statements().require(statement);
      judged(statement.traits());
      nameThere = statement.name();
      lent.await(new Awaited(Awaited.Kind.BIND, false, statement, name, null, null, null));
    }
    pass();
    int parameters = length + 1 - (nameEnd + 1 - in.readerIndex());
    lent.write(
        Messages.bind(
            channel.alloc(), in.slice(start, portalEnd + 1 - start), nameThere, parameters));
    in.readerIndex(nameEnd + 1);
    keep(in, parameters);
    return true;
  }

  private void requireUnnamed(PooledServer lent) {
    if (!lent.statements().isUnnamed(statements.unnamed())) {
      pass();
      lent.statements().requireUnnamed(statements.unnamed());
    }
  }

  private void describe(PooledServer lent, ByteBuf in, int length) {
    unsynced = true;
    String name = statementName(in, length);
    if (name == null || name.isEmpty()) {
      if (name != null) {
        requireUnnamed(lent);
      }
      lent.await(Awaited.DESCRIBE);
      keep(in, length + 1);
      return;
    }
    Prepared statement = statements.find(name);
    pass();
    if (statement != null) {
      changing |= lent.statements().require(statement);
    }
    byte[] there = statement == null ? ClientStatements.unknown(name) : statement.name();
    lent.write(Messages.describeStatement(channel.alloc(), there));
    lent.await(new Awaited(Awaited.Kind.DESCRIBE, false, statement, name, null, null, null));
    in.skipBytes(length + 1);
  }

  private void close(PooledServer lent, ByteBuf in, int length) {
    unsynced = true;
    changing = true;
    String name = statementName(in, length);
    if (name == null) {
      lent.await(Awaited.CLOSE);
      keep(in, length + 1);
    } else if (name.isEmpty()) {
      // Whatever the connection has by no name: nobody needs it any more.
      endUnnamed(lent, Awaited.CLOSE, null);
      keep(in, length + 1);
    } else {
      pass();
      in.skipBytes(length + 1);
      lent.await(Awaited.closeKnown(name, statements.take(name)));
    }
  }

  private void judged(SqlTraits traits) {
    if (traits.mayChangeSession()) {
      changing = true;
      client.mayChange(traits);
    }
  }
}
