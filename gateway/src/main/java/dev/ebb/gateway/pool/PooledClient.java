package dev.ebb.gateway.pool;

import dev.ebb.gateway.protocol.BackendKeyData;
import dev.ebb.gateway.protocol.ErrorFrame;
import dev.ebb.gateway.protocol.ErrorResponse;
import dev.ebb.gateway.protocol.SqlState;
import dev.ebb.gateway.relay.ErrorDetails;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A logged-in client that is lent a connection for each of its transactions. Keeps what its session
 * is beside that: prepared statements and settings. Confined to the channel's event loop, which the
 * connections' share.
 */
public final class PooledClient extends ChannelInboundHandlerAdapter {
  private static final Logger log = LoggerFactory.getLogger(PooledClient.class);
  private static final int HEADER_BYTES = 5;

  /** {@code PQ_LARGE_MESSAGE_LIMIT} of PostgreSQL's libpq.h. */
  private static final int MAX_MESSAGE_BYTES = 0x3fffffff;

  /** A statement's text is kept for as long as the client may bind it. */
  private static final int MAX_PARSE_BYTES = 16 << 20;

  /** Names of portals and statements, in front of a Bind's parameters. */
  private static final int MAX_NAMES_BYTES = 16 << 10;

  /** What is read ahead of a client that has to wait: only what is read shows that it is gone. */
  private static final int MAX_AHEAD_BYTES = 64 << 10;

  /** Settings with a dot in their names that are carried along. */
  private static final int MAX_CUSTOM_SETTINGS = 100;

  /** In front of names of the client's that look like the gateway's. */
  private static final String UNKNOWN_PREFIX = "ebb.no.";

  /** Answers that are still to come, ahead of which a client may ask for more. */
  private static final int MAX_AWAITED = 4_096;

  private static final Pattern OWN_NAME = Pattern.compile("\"ebb\\.(\\d+|no\\.[^\"]*)\"");

  /** Encodings in which a byte of a character may look like ASCII. */
  private static final Set<String> UNSAFE_ENCODINGS =
      Set.of("SJIS", "SHIFT_JIS_2004", "BIG5", "GBK", "UHC", "JOHAB", "GB18030");

  private final Channel channel;
  private final Pool pool;
  private final End end;
  private final Map<String, Prepared> statements = new HashMap<>();
  private final Set<String> customSettings = new TreeSet<>();
  private final SessionSettings initial;
  private SessionSettings settings;
  private Phase phase = Phase.GREETING;
  private @Nullable PooledServer server;
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

  private boolean suspect;
  private boolean hidden;
  private boolean pinned;
  private @Nullable Unnamed unnamed;
  private long waitingSinceNanos;
  private @Nullable String deallocated;
  private @Nullable BackendKeyData key;

  /** How many cancel requests are on their way. */
  private int holds;

  /** Of the last ReadyForQuery. */
  private byte status = 'I';

  private Function<Throwable, ErrorResponse> refusals =
      error -> ErrorResponse.fatal(SqlState.CANNOT_CONNECT_NOW, "no connection can be opened");

  private enum Phase {
    /** The client is not told yet that it may begin. */
    GREETING,
    /** No connection is lent. */
    FREE,
    /** A message waits for a connection. */
    WAITING,
    /** The connection gets the client's settings. */
    RESTORING,
    /** Messages go to the connection as they come. */
    RUNNING,
    /** What a transaction left behind is being asked. */
    PROBING,
    ENDED
  }

  /** What becomes of the client's connection beside what it is told here. */
  public interface End {
    /** Closes it when all that was written is sent. */
    void close();

    /** A message could not be understood, or the like: tells the client, which ends its session. */
    void refuse(ErrorResponse error);
  }

  private PooledClient(Channel channel, Pool pool, SessionSettings initial, End end) {
    this.channel = channel;
    this.pool = pool;
    this.initial = initial;
    this.settings = initial;
    this.end = end;
  }

  /**
   * Takes over a client that was authenticated and told so; what it sends from now on arrives here.
   *
   * @param applicationName of its startup packet; empty where it has none
   * @param early bytes that arrived already
   */
  public static PooledClient enter(
      Channel channel,
      Pools pools,
      PoolKey key,
      String applicationName,
      ErrorDetails details,
      Supplier<Future<Pool.Opened>> opener,
      ByteBuf early,
      End end) {
    Pool pool = pools.enter(key, details, opener);
    SessionSettings initial =
        applicationName.isEmpty()
            ? SessionSettings.OPENED
            : SessionSettings.of("application_name", applicationName);
    var client = new PooledClient(channel, pool, initial, end);
    client.rest = Unpooled.buffer(256).writeBytes(early);
    var pipeline = channel.pipeline();
    pipeline.addBefore(pipeline.lastContext().name(), "pooled", client);
    return client;
  }

  Channel channel() {
    return channel;
  }

  /**
   * Tells the client that it may begin, as soon as one connection of its kind has ever been opened.
   *
   * @param key under which it may cancel
   */
  public void begin(BackendKeyData key) {
    this.key = key;
    Buffer greeting = pool.greeting();
    if (greeting != null) {
      greet(greeting);
      return;
    }
    waitingSinceNanos = System.nanoTime();
    PooledServer first = pool.acquire(this);
    if (first != null) {
      given(first);
    }
  }

  boolean isGreeting() {
    return phase == Phase.GREETING;
  }

  /** Tells the client that it may begin, where it is known what to say. */
  void greetIfKnown() {
    Buffer greeting = pool.greeting();
    if (greeting != null) {
      greet(greeting);
    }
  }

  private void greet(Buffer greeting) {
    BackendKeyData own = key;
    if (own == null || phase != Phase.GREETING) {
      return;
    }
    phase = Phase.FREE;
    write(Unpooled.wrappedBuffer(greeting.getBytes()));
    String name = initial.values().get("application_name");
    if (name != null) {
      write(Messages.parameterStatus("application_name", name));
    }
    write(Unpooled.wrappedBuffer(own.encode().getBytes()));
    write(Messages.ready((byte) 'I'));
    channel.flush();
    proceed();
  }

  /** Runs something on the client's event loop; from any thread. */
  public void onLoop(Runnable task) {
    channel.eventLoop().execute(task);
  }

  /** Where a cancel request of the client's goes now; null where nothing runs for it. */
  public @Nullable Backend running() {
    PooledServer lent = server;
    return lent != null && phase == Phase.RUNNING ? lent.backend() : null;
  }

  /** The connection stays with the client until {@link #letGo}: a cancel request is on its way. */
  public void hold() {
    holds++;
  }

  public void letGo() {
    holds--;
    if (holds == 0 && phase == Phase.RUNNING) {
      releaseIfOver();
    }
  }

  public boolean isPinned() {
    return pinned;
  }

  // What the client sends.

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    if (!(message instanceof ByteBuf chunk) || phase == Phase.ENDED) {
      ReferenceCountUtil.release(message);
      return;
    }
    pool.traffic().fromClients(chunk.readableBytes());
    ByteBuf earlier = rest;
    if (earlier == null) {
      rest = chunk;
    } else {
      earlier.discardReadBytes().writeBytes(chunk);
      chunk.release();
    }
    proceed();
  }

  /** Does what the bytes at hand allow. */
  private void proceed() {
    if (phase == Phase.ENDED) {
      return;
    }
    try {
      if (phase == Phase.FREE || phase == Phase.RUNNING) {
        work();
      }
    } catch (Violation e) {
      log.debug("a client broke the protocol: {}", e.getMessage());
      pass();
      refuse(ErrorResponse.fatal(e.sqlState, String.valueOf(e.getMessage())));
      return;
    } catch (RuntimeException e) {
      log.error("a session failed", e);
      refuse(ErrorResponse.fatal("XX000", "internal error in the gateway"));
      return;
    }
    ByteBuf left = rest;
    if (left == null || phase == Phase.ENDED) {
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
    boolean waits = phase != Phase.FREE && phase != Phase.RUNNING;
    readMore(!waits || left.readableBytes() < MAX_AHEAD_BYTES);
  }

  private void resume() {
    proceed();
    if (rest == null && phase != Phase.ENDED) {
      readMore(true);
    }
  }

  private void readMore(boolean more) {
    PooledServer lent = server;
    channel
        .config()
        .setAutoRead(more && channel.isWritable() && (lent == null || lent.channel().isWritable()));
  }

  /** The client does not keep to the protocol, or asks for more than there is. */
  private static final class Violation extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String sqlState;

    Violation(String sqlState, String message) {
      super(message, null, false, false);
      this.sqlState = sqlState;
    }
  }

  private void work() {
    ByteBuf in = rest;
    while ((phase == Phase.FREE || phase == Phase.RUNNING)
        && in != null
        && in.isReadable()
        && channel.isWritable()
        && step(in)) {}
    pass();
    PooledServer lent = server;
    if (lent != null) {
      lent.flush();
    }
    channel.flush();
    if (lent != null && lent.isUsed()) {
      releaseIfOver(); // where no answer follows that would tell, as behind a COPY that failed
    }
  }

  /** Deals with a message, or with a part of one. */
  private boolean step(ByteBuf in) {
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
    PooledServer lent = server;
    if (lent == null) {
      return withoutServer(in, type, length);
    }
    if (lent.isSkipping() && type != 'S' && type != 'X') {
      drop(in, length + 1);
      return true;
    }
    boolean mustWait = changing || lent.isDoubtful() || lent.awaitedCount() > MAX_AWAITED;
    if (mustWait && !unsynced && !lent.isQuiet() && !isOfCopy(type)) {
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
      write(Messages.ready((byte) 'I'));
    } else if (type == 'X') {
      bye();
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
        bye();
        yield false;
      }
      case 'S' -> {
        in.skipBytes(length + 1);
        write(Messages.ready((byte) 'I'));
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
      case 'P' -> parseKnown(in, length) || acquire();
      case 'C' -> closeKnown(in, length) || acquire();
      default -> acquire();
    };
  }

  private boolean acquire() {
    waitingSinceNanos = System.nanoTime();
    phase = Phase.WAITING;
    PooledServer lent = pool.acquire(this);
    if (lent != null) {
      lend(lent);
    }
    return true;
  }

  /**
   * What some compute has accepted already needs none to be accepted again: nobody waits for a
   * connection in order to prepare what all prepare.
   */
  private boolean parseKnown(ByteBuf in, int length) {
    int start = in.readerIndex() + HEADER_BYTES;
    int end = in.readerIndex() + length + 1;
    int nameEnd = zero(in, start, end);
    String name = text(in, start, nameEnd);
    var definition = new byte[end - nameEnd - 1];
    in.getBytes(nameEnd + 1, definition);
    boolean isKnown =
        !name.isEmpty()
            && !statements.containsKey(name)
            && pool.statements().isProven(definition, settings.scope());
    if (isKnown) {
      statements.put(name, pool.statements().acquire(definition, settings.scope()));
      in.skipBytes(length + 1);
      write(Unpooled.wrappedBuffer(PooledServer.PARSE_COMPLETE));
    }
    return isKnown;
  }

  private boolean closeKnown(ByteBuf in, int length) {
    int start = in.readerIndex() + HEADER_BYTES;
    boolean isNamed = length >= 6 && in.getByte(start) == 'S' && in.getByte(start + 1) != 0;
    if (isNamed) {
      Prepared statement =
          statements.remove(
              text(in, start + 1, zero(in, start + 1, in.readerIndex() + length + 1)));
      if (statement != null) {
        pool.statements().release(statement);
      }
      in.skipBytes(length + 1);
      write(Unpooled.wrappedBuffer(PooledServer.CLOSE_COMPLETE));
    }
    return isNamed;
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
        suspect = true;
        lent.becomesUncertain();
        lent.await(Awaited.FUNCTION);
        keep(in, length + 1);
      }
      case 'd' -> keep(in, length + 1);
      case 'c', 'f' -> {
        keep(in, length + 1);
        lent.copyEnds();
      }
      case 'X' -> {
        bye();
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
  private void pass() {
    ByteBuf in = rest;
    PooledServer lent = server;
    if (run >= 0 && in != null && lent != null && in.readerIndex() > run) {
      lent.write(in.retainedSlice(run, in.readerIndex() - run));
      if (!lent.channel().isWritable()) {
        channel.config().setAutoRead(false);
      }
    }
    run = -1;
  }

  private void judged(PooledServer lent, SqlTraits traits) {
    if (traits.mayChangeSession()) {
      suspect = true;
      changing = true;
      hidden |= traits.hidesSettings();
      lent.becomesUncertain();
      customSettings.addAll(traits.customSettings());
      hidden |= customSettings.size() > MAX_CUSTOM_SETTINGS;
    }
  }

  private boolean query(PooledServer lent, ByteBuf in, int length) {
    SqlTraits traits = SqlTraits.UNKNOWN;
    if (length <= Statements.MAX_JUDGED_BYTES) {
      var text = new byte[Math.max(0, length - 5)];
      in.getBytes(in.readerIndex() + HEADER_BYTES, text);
      traits = SqlTraits.of(text);
    }
    String name = traits.deallocates();
    Prepared statement = name == null ? null : statements.get(name);
    if (statement != null && !lent.isQuiet() && !unsynced) {
      changing = true; // whether the transaction has failed is told in a moment
      return false;
    }
    judged(lent, traits);
    if (name != null && statement != null && !lent.isFailed()) {
      // It has the client's name for as long as it takes to let it go by that.
      pass();
      byte[] bytes = name.getBytes(StandardCharsets.ISO_8859_1);
      lent.write(Messages.parse(channel.alloc(), bytes, statement.definition()));
      lent.await(Awaited.HIDDEN_PARSE_UNNAMED);
      lent.write(Messages.sync());
      lent.await(Awaited.HIDDEN_SYNC);
      deallocated = name;
    }
    Unnamed before = unnamed;
    lent.unnamedBecomes(null);
    unnamed = null;
    unsynced = false;
    lent.await(Awaited.ends(Awaited.QUERY, before));
    keep(in, length + 1);
    return true;
  }

  private void parse(PooledServer lent, ByteBuf in, int length) {
    int start = in.readerIndex() + HEADER_BYTES;
    int nameEnd = zero(in, start, in.readerIndex() + length + 1);
    String name = text(in, start, nameEnd);
    var definition = new byte[in.readerIndex() + length + 1 - nameEnd - 1];
    in.getBytes(nameEnd + 1, definition);
    unsynced = true;
    changing = true;
    if (name.isEmpty()) {
      Unnamed before = unnamed;
      unnamed = Unnamed.of(definition);
      lent.unnamedBecomes(unnamed);
      lent.await(Awaited.ends(Awaited.PARSE_UNNAMED, before));
      keep(in, length + 1);
      return;
    }
    Prepared existing = statements.get(name);
    if (existing != null) {
      // The compute says that the name is taken, as it would for one client.
      pass();
      changing |= lent.require(existing);
      lent.write(Messages.parse(channel.alloc(), existing.name(), definition));
      lent.await(new Awaited(Awaited.Kind.PARSE, false, null, name, null, null, null));
      in.skipBytes(length + 1);
      return;
    }
    Prepared statement = pool.statements().acquire(definition, settings.scope());
    statements.put(name, statement);
    if (lent.knows(statement)) {
      pass();
      in.skipBytes(length + 1);
      lent.await(Awaited.parseKnown(statement, name));
      changing |= lent.require(statement);
      return;
    }
    pass();
    lent.prepare(statement, Awaited.parse(statement, name));
    in.skipBytes(length + 1);
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
      if (unnamed != null) {
        judged(lent, unnamed.traits());
      }
      lent.await(Awaited.BIND);
      keep(in, length + 1);
      return true;
    }
    String name = text(in, portalEnd + 1, nameEnd);
    Prepared statement = statements.get(name);
    byte[] nameThere;
    if (statement == null) {
      nameThere = unknown(name);
      lent.await(Awaited.BIND);
    } else {
      pass();
      changing |= lent.require(statement);
      judged(lent, statement.traits());
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
    if (!lent.isUnnamed(unnamed)) {
      pass();
      lent.requireUnnamed(unnamed);
    }
  }

  /** A name that no statement has at a compute. */
  private static byte[] unknown(String name) {
    return (name.startsWith("ebb.") ? UNKNOWN_PREFIX + name : name)
        .getBytes(StandardCharsets.ISO_8859_1);
  }

  private void describe(PooledServer lent, ByteBuf in, int length) {
    unsynced = true;
    int start = in.readerIndex() + HEADER_BYTES;
    int end = in.readerIndex() + length + 1;
    String name = length < 6 ? "" : text(in, start + 1, zero(in, start + 1, end));
    if (length < 6 || in.getByte(start) != 'S') {
      lent.await(Awaited.DESCRIBE);
      keep(in, length + 1);
    } else if (name.isEmpty()) {
      requireUnnamed(lent);
      lent.await(Awaited.DESCRIBE);
      keep(in, length + 1);
    } else {
      Prepared statement = statements.get(name);
      pass();
      if (statement != null) {
        changing |= lent.require(statement);
      }
      byte[] there = statement == null ? unknown(name) : statement.name();
      lent.write(Messages.describeStatement(channel.alloc(), there));
      lent.await(new Awaited(Awaited.Kind.DESCRIBE, false, statement, name, null, null, null));
      in.skipBytes(length + 1);
    }
  }

  private void close(PooledServer lent, ByteBuf in, int length) {
    unsynced = true;
    changing = true;
    int start = in.readerIndex() + HEADER_BYTES;
    int end = in.readerIndex() + length + 1;
    String name = length < 6 ? "" : text(in, start + 1, zero(in, start + 1, end));
    if (length < 6 || in.getByte(start) != 'S') {
      lent.await(Awaited.CLOSE);
      keep(in, length + 1);
    } else if (name.isEmpty()) {
      // Whatever the connection has by no name: nobody needs it any more.
      Unnamed before = unnamed;
      unnamed = null;
      lent.unnamedBecomes(null);
      lent.await(Awaited.ends(Awaited.CLOSE, before));
      keep(in, length + 1);
    } else {
      Prepared statement = statements.remove(name);
      pass();
      in.skipBytes(length + 1);
      lent.await(Awaited.closeKnown(name, statement));
    }
  }

  // What becomes of what was sent.

  /** A Parse will not be done. */
  void parseFailed(String name, Prepared statement) {
    if (statements.remove(name, statement)) {
      pool.statements().release(statement);
    }
  }

  /** A Close will not be done. */
  void closeFailed(String name, Prepared statement) {
    if (statements.putIfAbsent(name, statement) != null) {
      pool.statements().release(statement);
    }
  }

  /** A Sync went into what is copied in: the client will send another one. */
  void syncIgnored() {
    unsynced = true;
    if (rest != null) {
      channel.eventLoop().execute(this::proceed);
    }
  }

  /** What ends the unnamed statement will not be done. */
  void unnamedIs(@Nullable Unnamed statement) {
    unnamed = statement;
  }

  /** {@code DEALLOCATE ALL} or {@code DISCARD ALL}. */
  void deallocatedAll() {
    statements.values().forEach(pool.statements()::release);
    statements.clear();
    unnamed = null;
  }

  /** {@code DEALLOCATE} of one. */
  void deallocatedOne() {
    String name = deallocated;
    Prepared statement = name == null ? null : statements.remove(name);
    deallocated = null;
    if (statement != null) {
      pool.statements().release(statement);
    }
  }

  /**
   * An error, with the client's names in the place of the gateway's.
   *
   * @param meant the statement that the message which failed was about; null: of none by name
   */
  byte[] inItsNames(byte[] error, @Nullable String meant) {
    String text = Statements.text(error);
    if (!OWN_NAME.matcher(text).find()) {
      return error;
    }
    String named =
        OWN_NAME
            .matcher(text.substring(HEADER_BYTES))
            .replaceAll(found -> Matcher.quoteReplacement(nameOf(found.group(), meant)));
    byte[] body = named.getBytes(StandardCharsets.ISO_8859_1);
    return Unpooled.buffer(body.length + HEADER_BYTES)
        .writeByte('E')
        .writeInt(body.length + 4)
        .writeBytes(body)
        .array();
  }

  private String nameOf(String quoted, @Nullable String meant) {
    if (meant != null) {
      return "\"" + meant + "\"";
    }
    String own = quoted.substring(1, quoted.length() - 1);
    if (own.startsWith(UNKNOWN_PREFIX)) {
      return "\"" + own.substring(UNKNOWN_PREFIX.length()) + "\"";
    }
    for (var each : statements.entrySet()) {
      if (Statements.text(each.getValue().name()).equals(own)) {
        return "\"" + each.getKey() + "\"";
      }
    }
    return quoted;
  }

  // The connection.

  /** A connection is free for the client that waited. */
  void given(PooledServer lent) {
    pool.traffic().waited(System.nanoTime() - waitingSinceNanos);
    if (phase == Phase.ENDED) {
      pool.release(lent);
      return;
    }
    if (phase == Phase.GREETING) {
      pool.release(lent);
      greetIfKnown();
      return;
    }
    lend(lent);
    proceed();
  }

  private void lend(PooledServer lent) {
    pool.traffic().transaction();
    lent.begin(this);
    server = lent;
    if (!lent.isUncertain() && lent.settings().equals(settings)) {
      phase = Phase.RUNNING;
      return;
    }
    phase = Phase.RESTORING;
    pool.traffic().restored();
    restore(lent, 0);
  }

  private void restore(PooledServer lent, int step) {
    var queries = settings.restoring();
    if (step == queries.size()) {
      lent.settingsBecame(settings);
      phase = Phase.RUNNING;
      proceed();
      return;
    }
    lent.ask(
        queries.get(step),
        new OwnQuery(
            row -> {},
            error -> {
              if (server != lent || phase != Phase.RESTORING) {
                return;
              }
              if (error == null) {
                restore(lent, step + 1);
              } else {
                lent.becomesUncertain();
                server = null;
                pool.release(lent);
                refuse(
                    ErrorResponse.fatal(
                        error.sqlState(),
                        "the session's settings cannot be restored: " + error.message()));
              }
            }));
  }

  /** The compute has answered all of a Sync, a query or a function call. */
  void ready(byte now) {
    status = now;
    PooledServer lent = server;
    if (lent != null && lent.isQuiet()) {
      changing = false;
      deallocated = null;
      if (rest != null) {
        channel.eventLoop().execute(this::proceed);
      }
    }
    releaseIfOver();
  }

  /** Gives the connection back where the transaction is over. */
  private void releaseIfOver() {
    PooledServer lent = server;
    if (lent == null
        || phase != Phase.RUNNING
        || status != 'I'
        || unsynced
        || (streaming > 0 && !dropping)
        || holds > 0
        || !lent.isQuiet()) {
      return;
    }
    if ((suspect || lent.isDoubtful()) && !pinned) {
      probe(lent);
    } else if (!pinned) {
      release(lent);
    }
  }

  private void release(PooledServer lent) {
    pass();
    server = null;
    phase = Phase.FREE;
    channel.flush();
    readMore(true); // whatever the connection took, or not
    pool.release(lent);
    if (rest != null) {
      channel.eventLoop().execute(this::proceed);
    }
  }

  private void probe(PooledServer lent) {
    phase = Phase.PROBING;
    channel.flush();
    pool.traffic().probed();
    var probe = new SessionProbe();
    lent.ask(
        SessionProbe.question(pool.key().user(), customSettings),
        new OwnQuery(probe::row, error -> probed(lent, probe, error)));
  }

  private void probed(PooledServer lent, SessionProbe probe, @Nullable ErrorFrame error) {
    if (server != lent || phase != Phase.PROBING) {
      return;
    }
    suspect = false;
    String why = error != null ? "a session that cannot be read" : probe.pinning();
    if (why.isEmpty() && hidden) {
      why = "set_config of a computed name";
    }
    if (why.isEmpty() && hasUnsafeText(probe.settings())) {
      why = "a setting that is not ASCII in the client's encoding";
    }
    if (!why.isEmpty()) {
      pin(why);
      phase = Phase.RUNNING;
      proceed();
      return;
    }
    SessionSettings now = probe.settings();
    lent.settingsBecame(now);
    settings = now.orElse(initial);
    if (probe.prepared() != lent.preparedCount()) {
      lent.confused();
    }
    release(lent);
  }

  private static boolean hasUnsafeText(SessionSettings settings) {
    String encoding = settings.values().getOrDefault("client_encoding", "");
    return UNSAFE_ENCODINGS.contains(encoding)
        && settings.values().values().stream()
            .anyMatch(value -> value.chars().anyMatch(c -> c > 127));
  }

  private void pin(String why) {
    pinned = true;
    pool.traffic().pinned(why);
    write(
        Messages.notice(
            "this session keeps its connection until it ends, for it holds "
                + why
                + ", which cannot be shared"));
    channel.flush();
  }

  /** No connection could be opened. */
  void refused(Throwable error) {
    if (phase == Phase.GREETING) {
      refuse(refusals.apply(error));
    } else {
      answerWaiting(refusals.apply(error));
    }
  }

  /** How the client is told why no connection can be opened. */
  public void tellBy(Function<Throwable, ErrorResponse> words) {
    refusals = words;
  }

  void waitedTooLong(long timeoutMs) {
    var error =
        ErrorResponse.fatal(
            SqlState.TOO_MANY_CONNECTIONS,
            "no connection of the pool was free for "
                + timeoutMs / 1000
                + " s: all are in use by other transactions");
    if (phase == Phase.GREETING) {
      refuse(error);
    } else {
      answerWaiting(error);
    }
  }

  void tellWaiting(int count) {
    if (phase == Phase.WAITING) {
      write(
          Messages.notice(
              "waiting for a connection to the database: "
                  + count
                  + (count == 1 ? " transaction waits" : " transactions wait")));
      channel.flush();
    }
  }

  /** The message that waits is answered with an error, and the session goes on. */
  private void answerWaiting(ErrorResponse error) {
    ByteBuf in = rest;
    if (phase != Phase.WAITING || in == null || in.readableBytes() < HEADER_BYTES) {
      return;
    }
    phase = Phase.FREE;
    byte type = in.getByte(in.readerIndex());
    write(Messages.error(error.sqlState(), error.message()));
    if (type == 'Q' || type == 'F') {
      drop(in, in.getInt(in.readerIndex() + 1) + 1);
      write(Messages.ready((byte) 'I'));
    } else {
      ignoring = true;
    }
    channel.flush();
    proceed();
  }

  /** The compute is gone, or does not keep to the protocol. */
  void serverGone(PooledServer lent, @Nullable ErrorFrame lastError) {
    if (server != lent) {
      return;
    }
    server = null;
    run = -1;
    if (phase == Phase.RESTORING) {
      // Nothing of the client's was sent.
      phase = Phase.WAITING;
      PooledServer next = pool.acquire(this);
      if (next != null) {
        given(next);
      }
      return;
    }
    if (lent.isInMessage() || (lent.saidFatal() && phase == Phase.RUNNING && lastError != null)) {
      ended();
      end.close();
      return;
    }
    refuse(
        ErrorResponse.fatal(
            SqlState.CONNECTION_FAILURE, "the connection to the compute was lost: connect again"));
  }

  void serverWritable(boolean writable) {
    if (writable) {
      proceed();
    }
    readMore(writable);
  }

  void write(ByteBuf bytes) {
    if (channel.isActive()) {
      var _ = channel.write(bytes, channel.voidPromise());
    } else {
      bytes.release();
    }
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    PooledServer lent = server;
    if (lent != null) {
      lent.clientWritable(channel.isWritable());
    }
    if (channel.isWritable()) {
      channel.eventLoop().execute(this::resume);
    }
    context.fireChannelWritabilityChanged();
  }

  // The end.

  private void bye() {
    ended();
    end.close();
  }

  private void refuse(ErrorResponse error) {
    if (phase != Phase.ENDED) {
      ended();
      end.refuse(error);
    }
  }

  /** Ends the session from the gateway's side. */
  public void terminate(String reason) {
    PooledServer lent = server;
    if (phase == Phase.ENDED) {
      return;
    }
    if (lent != null && lent.isInMessage()) {
      ended();
      end.close();
    } else {
      refuse(ErrorResponse.fatal(SqlState.ADMIN_SHUTDOWN, "terminating connection: " + reason));
    }
  }

  /** The client is gone. */
  public void closed() {
    ended();
  }

  private void ended() {
    if (phase == Phase.ENDED) {
      return;
    }
    pass();
    phase = Phase.ENDED;
    ByteBuf left = rest;
    rest = null;
    if (left != null) {
      left.release();
    }
    pool.forget(this);
    PooledServer lent = server;
    server = null;
    if (lent != null) {
      // A transaction that was not ended, or a session that cannot be shared.
      lent.flush();
      lent.close();
    }
    deallocatedAll();
    pool.leave();
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    ended();
    context.fireChannelInactive();
  }

  /** The settings that the client has changed, by name. */
  Map<String, String> settings() {
    return settings.values();
  }

  @Override
  public String toString() {
    return "PooledClient" + Arrays.asList(pool.key().user(), phase);
  }
}
