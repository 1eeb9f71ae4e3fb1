package dev.ebb.gateway.pool;

import dev.ebb.gateway.protocol.ErrorFrame;
import dev.ebb.gateway.protocol.SqlState;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection to a compute, and what it knows of the session there. It follows what the compute
 * answers and passes it on to the client of the moment, but for answers to what the gateway asked
 * by itself. Confined to the channel's event loop.
 */
final class PooledServer extends ChannelInboundHandlerAdapter {
  private static final Logger log = LoggerFactory.getLogger(PooledServer.class);

  /** PostgreSQL keeps its errors under 30,000 bytes; rows of Ebb's own are short as well. */
  private static final int MAX_JUDGED_BYTES = 1 << 20;

  private static final int HEADER_BYTES = 5;

  static final byte[] PARSE_COMPLETE = {'1', 0, 0, 0, 4};
  static final byte[] CLOSE_COMPLETE = {'3', 0, 0, 0, 4};

  private final Pool pool;
  private final Backend backend;
  private final Channel channel;
  private final long openedNanos = System.nanoTime();
  private final long openedEpochMs = System.currentTimeMillis();
  private final ArrayDeque<Awaited> awaited = new ArrayDeque<>();
  private final ServerStatements statements;
  private SessionSettings settings = SessionSettings.OPENED;
  private boolean uncertain;
  private @Nullable PooledClient client;
  private long idleSinceNanos;

  /** Since when the first of what a client asked has waited for its answer; 0: nothing does. */
  private long askedNanos;

  /** Of the last ReadyForQuery. */
  private byte status = 'I';

  /** How many ReadyForQuery are awaited. */
  private int readies;

  /** The compute ignores all up to the next Sync, which was not sent yet. */
  private boolean skipping;

  private boolean copyingIn;

  /**
   * How many Syncs the compute may have ignored because it was copying in, or may yet answer
   * because the copying had failed by then.
   */
  private int doubtfulSyncs;

  private boolean used;
  private boolean closed;
  private boolean saidFatal;

  /** Bytes that are not a whole header, or not a whole message where that is needed. */
  private @Nullable ByteBuf held;

  private boolean asking;
  private int bodyLeft;
  private byte bodyType;
  private boolean bodyHidden;
  private @Nullable ErrorFrame lastError;

  /** What follows from the last answer, once all that has arrived with it was looked at. */
  private @Nullable Runnable finishing;

  PooledServer(Pool pool, Backend backend, Channel channel) {
    this.pool = pool;
    this.backend = backend;
    this.channel = channel;
    this.statements =
        new ServerStatements(this, pool.statements(), pool.config().maxPreparedStatements());
  }

  Backend backend() {
    return backend;
  }

  Channel channel() {
    return channel;
  }

  long openedNanos() {
    return openedNanos;
  }

  long idleSinceNanos() {
    return idleSinceNanos;
  }

  @Nullable PooledClient client() {
    return client;
  }

  ServerInfo describe(PoolKey key) {
    PooledClient of = client;
    return new ServerInfo(
        key.address(),
        key.user(),
        of != null,
        backend.host(),
        backend.port(),
        backend.key().processId(),
        openedEpochMs,
        of == null ? 0 : of.id(),
        statements.count());
  }

  boolean isUsable() {
    return !closed && !saidFatal && channel.isActive();
  }

  /** A client's transaction begins. */
  void begin(PooledClient next) {
    client = next;
    statements.transactionBegins();
    used = false;
    lastError = null;
  }

  /** It is over; nothing is awaited. */
  void end() {
    client = null;
    idleSinceNanos = System.nanoTime();
    channel.config().setAutoRead(true);
  }

  /** Whether it has told all that it was asked. */
  boolean isQuiet() {
    return awaited.isEmpty() && !skipping && !copyingIn;
  }

  boolean isCopyingIn() {
    return copyingIn;
  }

  /** Whether a message to the client has begun and not ended, so that none can be put behind it. */
  boolean isInMessage() {
    return bodyLeft > 0 && !bodyHidden;
  }

  boolean saidFatal() {
    return saidFatal;
  }

  // What a client's messages are turned into.

  /** Takes the bytes over. */
  void write(ByteBuf bytes) {
    var _ = channel.write(bytes, channel.voidPromise());
  }

  void flush() {
    channel.flush();
  }

  /** Something was sent, or is put in, that this stands for. */
  void await(Awaited next) {
    if (skipping && next.kind() != Awaited.Kind.SYNC) {
      throw new IllegalStateException("nothing but a Sync is heard now");
    }
    skipping = false;
    used = true;
    awaited.add(next);
    if (next.kind().endsReady()) {
      readies++;
    }
    if (awaited.size() == 1) {
      if (askedNanos == 0) {
        askedNanos = System.nanoTime();
      }
      answerKnown();
    }
  }

  /** Whether the compute ignores everything up to the next Sync. */
  boolean isSkipping() {
    return skipping;
  }

  /** Whether the transaction has failed, as far as was told. */
  boolean isFailed() {
    return status == 'E';
  }

  /** The client ends what it copies in: a Sync counts again. */
  void copyEnds() {
    if (copyingIn) {
      copyingIn = false;
    } else if (!awaited.isEmpty()) {
      await(Awaited.COPY_END); // sent before the compute asked for it
    }
  }

  /** The client sent a Sync in the middle of what it copies in. */
  void syncInCopy() {
    doubtfulSyncs++;
  }

  /** Whether more may be answered than is awaited. */
  boolean isDoubtful() {
    return doubtfulSyncs > 0;
  }

  /** Whether it has been asked what it has not answered, up to a ReadyForQuery. */
  boolean isBusy() {
    return readies > 0 && !copyingIn;
  }

  /** Whether anything was asked since it was lent. */
  boolean isUsed() {
    return used;
  }

  int awaitedCount() {
    return awaited.size();
  }

  ServerStatements statements() {
    return statements;
  }

  /**
   * Whether a Parse of the statement need not be sent. In a transaction that has failed, or may
   * have by then, the compute has to say itself what comes of it.
   */
  boolean knows(Prepared statement) {
    return statements.has(statement) && !isFailed() && readies == 0;
  }

  // The session's settings.

  SessionSettings settings() {
    return settings;
  }

  /** Whether the settings may be others than {@link #settings} says. */
  boolean isUncertain() {
    return uncertain;
  }

  void settingsBecame(SessionSettings now) {
    settings = now;
    uncertain = false;
  }

  /** A statement may change the session. */
  void becomesUncertain() {
    uncertain = true;
  }

  /** Runs a query of the gateway's own; only while nothing else goes on. */
  void ask(byte[] sql, OwnQuery query) {
    statements.unnamedBecomes(null);
    channel.config().setAutoRead(true);
    write(Messages.query(channel.alloc(), sql));
    await(Awaited.own(query));
    flush();
  }

  // What the compute says.

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    if (!(message instanceof ByteBuf chunk)) {
      ReferenceCountUtil.release(message);
      return;
    }
    pool.traffic().toClients(chunk.readableBytes());
    pool.database().sent(chunk.readableBytes());
    ByteBuf earlier = held;
    ByteBuf all = chunk;
    if (earlier != null) {
      earlier.writeBytes(chunk);
      chunk.release();
      all = earlier;
      held = null;
    }
    if (asking) {
      held = earlier == null ? copy(all) : all;
    } else {
      walk(all);
    }
  }

  private static ByteBuf copy(ByteBuf from) {
    ByteBuf copy = Unpooled.buffer(Math.max(256, from.readableBytes()));
    copy.writeBytes(from);
    from.release();
    return copy;
  }

  /** Passes on what may be, and takes the bytes over. */
  private void walk(ByteBuf in) {
    try {
      pass(in, walkTo(in));
    } catch (Nonsense e) {
      log.warn("a compute at {} is not understood: {}", backend.address(), e.getMessage());
      close();
    } catch (RuntimeException e) {
      log.error("a connection to a compute failed", e);
      close();
    }
    if (in.isReadable() && !closed) {
      held = copy(in);
    } else {
      in.release();
    }
  }

  /**
   * Reads message after message. What is in front of the place reached and has not been passed on
   * is for the client as it is.
   */
  private int walkTo(ByteBuf in) {
    int at = in.readerIndex();
    int end = in.writerIndex();
    while (at < end && !asking && !closed) {
      if (bodyLeft > 0) {
        int bytes = Math.min(bodyLeft, end - at);
        bodyLeft -= bytes;
        at += bytes;
        if (bodyHidden) {
          in.readerIndex(at);
        }
        if (bodyLeft == 0 && isTelling(bodyType)) {
          if (isKnownNext()) {
            pass(in, at);
          }
          ended(bodyType);
        }
        continue;
      }
      if (end - at < HEADER_BYTES) {
        break;
      }
      byte type = in.getByte(at);
      int length = in.getInt(at + 1);
      if (length < 4) {
        throw new Nonsense("a message of impossible length");
      }
      requireAskedFor(type);
      if (isJudged(type)) {
        if (end - at <= length) {
          if (length > MAX_JUDGED_BYTES) {
            throw new Nonsense("a message of type " + (char) type + " with " + length + " bytes");
          }
          break;
        }
        judge(type, in, at, length);
        at += length + 1;
      } else {
        bodyHidden = isHidden(type);
        if (bodyHidden) {
          pass(in, at);
        }
        bodyType = type;
        bodyLeft = length + 1;
      }
    }
    return closed ? in.readerIndex() : at;
  }

  /** Whether something is put in behind the answer that is at hand. */
  private boolean isKnownNext() {
    if (awaited.size() < 2) {
      return false;
    }
    Iterator<Awaited> next = awaited.iterator();
    next.next();
    return next.next().kind().isOwn();
  }

  /** The compute does not keep to the protocol. */
  private static final class Nonsense extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Nonsense(String message) {
      super(message, null, false, false);
    }
  }

  /** A compute that says what does not fit may say anything: nothing is made of the rest. */
  private void requireAskedFor(byte type) {
    boolean isAnyTime = type == 'N' || type == 'A' || type == 'S' || type == 'E' || type == 'Z';
    Awaited head = awaited.peek();
    if (!isAnyTime && (head == null || !head.kind().allows(type))) {
      throw new Nonsense(
          "a message of type "
              + (type & 0xFF)
              + " that nobody asked for"
              + (head == null ? "" : ", instead of an answer to " + head.kind()));
    }
  }

  /** What is read as a whole before it is passed on. */
  private boolean isJudged(byte type) {
    return switch (type) {
      case 'E', 'Z', 'S', 'C' -> true;
      case 'D' -> ownQuery() != null;
      default -> false;
    };
  }

  /** Whether the end of such a message is the end of an answer. */
  private static boolean isTelling(byte type) {
    return switch (type) {
      case '1', '2', '3', 'n', 'T', 'I', 's', 'G' -> true;
      default -> false;
    };
  }

  private @Nullable OwnQuery ownQuery() {
    Awaited head = awaited.peek();
    return head == null ? null : head.own();
  }

  private boolean isHidden(byte type) {
    Awaited head = awaited.peek();
    if (client == null && (head == null || head.own() == null)) {
      if (type == 'N' || type == 'A') {
        return true;
      }
      throw new Nonsense("a message of type " + (char) type + " that nobody asked for");
    }
    if (head == null) {
      return false;
    }
    OwnQuery own = head.own();
    if (own != null) {
      if (type != 'A' && type != 'N') {
        own.begins();
      }
      return type != 'A' || client == null;
    }
    return head.hidden() && (type == '1' || type == '3');
  }

  /** Passes on what is in front of {@code end} and was not yet. */
  private void pass(ByteBuf in, int end) {
    int bytes = end - in.readerIndex();
    PooledClient to = client;
    if (to == null) {
      in.readerIndex(end);
    } else if (bytes > 0) {
      to.write(in.readRetainedSlice(bytes));
      if (!to.channel().isWritable()) {
        channel.config().setAutoRead(false);
      }
    }
  }

  /** The message at {@code at} is there as a whole. */
  private void judge(byte type, ByteBuf in, int at, int length) {
    int behind = at + length + 1;
    switch (type) {
      case 'E' -> {
        pass(in, at);
        error(in, length);
      }
      case 'Z' -> ready(in, at, length);
      case 'C' -> {
        Awaited head = awaited.peek();
        if (head == null) {
          throw new Nonsense("a command's end that nobody asked for");
        }
        hide(in, at, behind, head.own() != null);
        if (head.own() == null) {
          doubtfulSyncs = 0; // what was sent while it copied in was ignored for certain
        }
        tag(in, at + HEADER_BYTES, length - 4);
        if (head.kind() == Awaited.Kind.EXECUTE) {
          if (isKnownNext()) {
            pass(in, behind);
          }
          pop();
        }
      }
      case 'S' -> hide(in, at, behind, client == null || ownQuery() != null);
      case 'D' -> {
        OwnQuery own = ownQuery();
        hide(in, at, behind, true);
        if (own != null) {
          own.row(Messages.row(in, at + HEADER_BYTES, length - 4));
        }
      }
      default -> throw new IllegalStateException("unreachable: " + type);
    }
  }

  private void hide(ByteBuf in, int at, int behind, boolean hidden) {
    if (hidden) {
      pass(in, at);
      in.readerIndex(behind);
    }
  }

  /** What a command's tag says about prepared statements. */
  private void tag(ByteBuf in, int start, int length) {
    PooledClient of = ownQuery() == null ? client : null;
    boolean maybe =
        length > 10
            && in.getByte(start) == 'D'
            && (in.getByte(start + 1) == 'I' || in.getByte(start + 2) == 'A');
    if (maybe) {
      String tag = in.toString(start, length - 1, StandardCharsets.ISO_8859_1);
      if (tag.equals("DISCARD ALL") || tag.equals("DEALLOCATE ALL")) {
        statements.clear();
        if (of != null) {
          of.statements().clear();
        }
      } else if (tag.equals("DEALLOCATE") && of != null) {
        of.statements().deallocatedOne();
      }
    }
  }

  /** The end of a message that answers something. */
  private void ended(byte type) {
    Awaited head = awaited.peek();
    if (head == null) {
      throw new Nonsense("a message of type " + (char) type + " that nobody asked for");
    }
    Awaited.Kind kind = head.kind();
    switch (type) {
      case '1' -> {
        Prepared statement = head.statement();
        if (statement != null) {
          statement.prove();
        }
        pop(kind, Awaited.Kind.PARSE);
      }
      case '2' -> pop(kind, Awaited.Kind.BIND);
      case '3' -> pop(kind, Awaited.Kind.CLOSE);
      case 'n' -> pop(kind, Awaited.Kind.DESCRIBE);
      case 'T' -> {
        if (kind == Awaited.Kind.DESCRIBE) {
          pop();
        } else if (kind != Awaited.Kind.QUERY) {
          throw new Nonsense("a description of rows that nobody asked for");
        }
      }
      case 'I', 's' -> {
        if (kind == Awaited.Kind.EXECUTE) {
          pop();
        }
      }
      case 'G' -> ignoreSyncs(head);
      default -> throw new IllegalStateException("unreachable: " + type);
    }
  }

  /** PostgreSQL ignores a Sync that it reads while it copies in, so no answer follows. */
  private void ignoreSyncs(Awaited copy) {
    PooledClient of = client;
    awaited.remove();
    while (Awaited.SYNC.equals(awaited.peek())) {
      awaited.remove();
      readies--;
      doubtfulSyncs++;
      if (of != null) {
        of.syncIgnored();
      }
    }
    copyingIn = !Awaited.COPY_END.equals(awaited.peek());
    boolean isBroken = copyingIn && !awaited.isEmpty();
    awaited.addFirst(copy);
    if (isBroken && of != null) {
      of.breaksCopy();
    }
  }

  private void pop(Awaited.Kind is, Awaited.Kind must) {
    if (is != must) {
      throw new Nonsense("an answer to " + must + " instead of " + is);
    }
    pop();
  }

  /** The first of what is awaited was answered. */
  private void pop() {
    awaited.remove();
    answerKnown();
  }

  /** Says what the compute need not be asked for. */
  private void answerKnown() {
    Awaited head;
    while ((head = awaited.peek()) != null && head.kind().isOwn()) {
      awaited.remove();
      PooledClient to = client;
      if (to != null && head.kind() != Awaited.Kind.COPY_END) {
        boolean parse = head.kind() == Awaited.Kind.PARSE_KNOWN;
        to.write(Unpooled.wrappedBuffer(parse ? PARSE_COMPLETE : CLOSE_COMPLETE));
        Prepared closedStatement = head.before();
        if (!parse && closedStatement != null) {
          pool.statements().release(closedStatement);
        }
      }
    }
  }

  private void ready(ByteBuf in, int at, int length) {
    Awaited head = awaited.peek();
    int behind = at + length + 1;
    OwnQuery asked = ownQuery();
    if (doubtfulSyncs > 0
        && length == 5
        && (head == null || (asked != null && !asked.hasBegun()))) {
      // To a Sync that was not ignored after all; the client expects it.
      doubtfulSyncs--;
      skipping = false;
      pass(in, behind);
      return;
    }
    if (head == null || !head.kind().endsReady() || length != 5) {
      throw new Nonsense("ReadyForQuery that nobody asked for");
    }
    byte told = in.getByte(at + HEADER_BYTES);
    if (told != 'I' && told != 'T' && told != 'E') {
      throw new Nonsense("ReadyForQuery of an unknown state");
    }
    awaited.remove();
    status = told;
    readies--;
    copyingIn = false;
    hide(in, at, behind, head.hidden());
    OwnQuery own = head.own();
    if (own != null) {
      doubtfulSyncs = 0;
      askedNanos = 0;
      whenRead(own::ready);
      return;
    }
    PooledClient to = client;
    if (to != null && !head.hidden()) {
      long now = System.nanoTime();
      pool.database().statements(1, now - askedNanos);
      askedNanos = awaited.isEmpty() ? 0 : now;
      pass(in, behind);
      answerKnown();
      whenRead(() -> to.ready(status));
    }
  }

  /**
   * Does something that may lend the connection to another client, or send it another question,
   * where nothing is awaited any more: what has arrived behind the answer nobody asked for, and
   * must not be taken for the answer to what comes next.
   */
  private void whenRead(Runnable next) {
    if (awaited.isEmpty()) {
      finishing = next;
    } else {
      next.run();
    }
  }

  private void finish() {
    Runnable next = finishing;
    finishing = null;
    if (next != null && !closed) {
      next.run();
    }
  }

  /** An error is at hand: all in front of it was passed on. */
  private void error(ByteBuf in, int length) {
    var frame = ErrorFrame.read(in.readSlice(length + 1));
    lastError = frame;
    saidFatal |= frame.isFatal();
    if (saidFatal) {
      finish(); // the client has its answer, and need not hear why the connection ends
    }
    OwnQuery own = ownQuery();
    PooledClient to = client;
    if (own != null) {
      own.begins();
      own.failed(frame);
    } else if (awaited.isEmpty() && !saidFatal) {
      throw new Nonsense("an error that nobody asked for");
    } else if (to == null) {
      close();
    } else if (pool.details().concerns(frame)) {
      ask(frame, to);
    } else {
      pass(frame, frame.bytes(), to);
    }
  }

  /** Asks for details; the connection is not read meanwhile. */
  private void ask(ErrorFrame frame, PooledClient to) {
    asking = true;
    channel.config().setAutoRead(false);
    pool.details()
        .about(frame)
        .onComplete(answer -> {
          String text = answer.succeeded() ? answer.result() : "";
          channel.eventLoop().execute(() -> answered(frame, text, to));
        });
  }

  private void answered(ErrorFrame frame, String text, PooledClient to) {
    if (!asking || closed) {
      return;
    }
    asking = false;
    pass(frame, frame.withDetail(text), to);
    ByteBuf waiting = held;
    held = null;
    if (waiting != null) {
      walk(waiting);
    }
    finish();
    to.someIsAnswered();
    PooledClient now = client;
    channel.config().setAutoRead(!asking && (now == null || now.channel().isWritable()));
  }

  /** Passes an error on, and gives up what the compute will not do because of it. */
  private void pass(ErrorFrame frame, byte[] bytes, PooledClient to) {
    Awaited head = awaited.peek();
    byte[] told = head == null ? bytes : to.statements().inItsNames(bytes, head.clientName());
    to.write(Unpooled.wrappedBuffer(told));
    copyingIn = false;
    if (head == null || head.kind().endsReady()) {
      return;
    }
    judge(frame, head);
    var dropped = new ArrayList<Awaited>();
    while ((head = awaited.peek()) != null && head.kind() != Awaited.Kind.SYNC) {
      if (head.kind().endsReady()) {
        readies--; // ignored as well: only a Sync counts
      }
      dropped.add(awaited.remove());
    }
    skipping = head == null;
    for (int i = dropped.size() - 1; i >= 0; i--) {
      undo(dropped.get(i), i == 0);
    }
  }

  /** What an error says about prepared statements. */
  private void judge(ErrorFrame frame, Awaited head) {
    Prepared statement = head.statement();
    if (statement == null) {
      return;
    }
    String sqlState = frame.sqlState();
    if (sqlState.equals(SqlState.UNDEFINED_STATEMENT)) {
      statements.isMissed(statement);
    } else if (sqlState.equals(SqlState.FEATURE_NOT_SUPPORTED)
        && head.kind() == Awaited.Kind.BIND) {
      statement.outdated();
    }
  }

  /**
   * Something that was asked for will not be done.
   *
   * @param failed whether it was tried
   */
  private void undo(Awaited given, boolean failed) {
    Prepared statement = given.statement();
    switch (given.kind()) {
      case PARSE -> {
        if (statement != null) {
          statements.parseFailed(statement);
          parseFailed(given, statement);
        } else if (given.clientName() == null) {
          keepsUnnamed(given, failed);
        }
      }
      case PARSE_KNOWN -> {
        if (statement != null) {
          parseFailed(given, statement);
        }
      }
      case CLOSE_KNOWN -> closeFailed(given);
      case CLOSE -> {
        if (statement != null) {
          statements.closeFailed(statement);
        } else if (given.hidden() || given.unnamedBefore() != null) {
          keepsUnnamed(given, failed);
        } // else of a portal
      }
      case QUERY -> keepsUnnamed(given, failed);
      default -> {}
    }
  }

  private void parseFailed(Awaited given, Prepared statement) {
    PooledClient of = client;
    String name = given.clientName();
    if (of != null && name != null) {
      of.statements().parseFailed(name, statement);
    }
  }

  private void closeFailed(Awaited given) {
    PooledClient of = client;
    String name = given.clientName();
    Prepared statement = given.before();
    if (of != null && name != null && statement != null) {
      of.statements().closeFailed(name, statement);
    }
  }

  /** Only a Parse that was tried ends the unnamed statement although it fails. */
  private void keepsUnnamed(Awaited given, boolean failed) {
    PooledClient of = client;
    statements.unnamedBecomes(Unnamed.UNCERTAIN);
    if (!given.hidden() && of != null) {
      var _ = of.statements().unnamedIs(failed ? null : given.unnamedBefore());
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    finish();
    PooledClient to = client;
    if (to != null) {
      to.someIsAnswered();
    }
    context.fireChannelReadComplete();
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    PooledClient from = client;
    if (from != null) {
      from.serverWritable(channel.isWritable());
    }
    context.fireChannelWritabilityChanged();
  }

  /** The client takes bytes again, or not. */
  void clientWritable(boolean writable) {
    if (ownQuery() == null) {
      channel.config().setAutoRead(writable && !asking);
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    gone();
    context.fireChannelInactive();
  }

  /** Ends the connection; whoever uses it is told. */
  void close() {
    if (!closed) {
      var _ = channel.close();
      gone();
    }
  }

  private void gone() {
    if (closed) {
      return;
    }
    closed = true;
    asking = false;
    ByteBuf waiting = held;
    held = null;
    if (waiting != null) {
      waiting.release();
    }
    statements.clear();
    List<Awaited> left = List.copyOf(awaited);
    awaited.clear();
    PooledClient of = client;
    client = null;
    backend.close();
    pool.gone(this);
    for (Awaited each : left) {
      Prepared closedStatement = each.before();
      if (each.kind() == Awaited.Kind.CLOSE_KNOWN && closedStatement != null) {
        pool.statements().release(closedStatement);
      }
    }
    if (of != null) {
      of.serverGone(this, lastError);
    }
  }
}
