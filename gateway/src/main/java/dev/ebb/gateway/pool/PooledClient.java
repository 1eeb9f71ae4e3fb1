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
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.util.ReferenceCountUtil;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import java.util.Iterator;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A logged-in client that is lent a connection for each of its transactions. Keeps what its session
 * is beside that: prepared statements and settings. Confined to the channel's event loop, which the
 * connections' share.
 */
public final class PooledClient extends ChannelInboundHandlerAdapter {
  /** Settings with a dot in their names that are carried along. */
  private static final int MAX_CUSTOM_SETTINGS = 100;

  /** Encodings in which a byte of a character may look like ASCII. */
  private static final Set<String> UNSAFE_ENCODINGS =
      Set.of("SJIS", "SHIFT_JIS_2004", "BIG5", "GBK", "UHC", "JOHAB", "GB18030");

  private final Channel channel;
  private final Pool pool;
  private final End end;
  private final ClientStatements statements;
  private final ClientReader reader;
  private final Set<String> customSettings = new TreeSet<>();
  private final SessionSettings initial;
  private SessionSettings settings;
  private Phase phase = Phase.GREETING;
  private @Nullable PooledServer server;

  /** A statement may have changed the session, and in a way that cannot be read. */
  private boolean suspect;

  private boolean hidden;
  private boolean pinned;
  private long waitingSinceNanos;
  private @Nullable BackendKeyData key;
  private long id;
  private long transactions;
  private long answered;

  /** Why the session ends at the next opportunity; null: it does not. */
  private @Nullable String draining;

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
    /** The branch is paused between two transactions of a client that keeps its connection. */
    HELD,
    ENDED
  }

  /** Why a client's connection is closed without a word. */
  public enum Cause {
    /** The client said that it goes. */
    TERMINATED,
    /** It went without that. */
    GONE,
    /** The compute ended the session, and has said why. */
    COMPUTE
  }

  /** What becomes of the client's connection beside what it is told here. */
  public interface End {
    /** Closes it when all that was written is sent. */
    void close(Cause cause);

    /** A message could not be understood, or the like: tells the client, which ends its session. */
    void refuse(ErrorResponse error);
  }

  private PooledClient(
      Channel channel, Pool pool, SessionSettings initial, ByteBuf early, End end) {
    this.channel = channel;
    this.pool = pool;
    this.statements = new ClientStatements(pool.statements());
    this.reader = new ClientReader(this, channel, early);
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
    var client = new PooledClient(channel, pool, initial, early, end);
    channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
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
    if (pool.greeting() != null) {
      greetIfKnown();
      return;
    }
    waitingSinceNanos = System.nanoTime();
    PooledServer first = pool.acquire(this);
    if (first != null) {
      given(first);
    }
  }

  /** Under which number the session is known. */
  public void identify(long number) {
    id = number;
  }

  long id() {
    return id;
  }

  /** What it does now. */
  public ClientState describe() {
    PooledServer lent = server;
    boolean isWaiting = phase == Phase.WAITING || phase == Phase.GREETING || phase == Phase.HELD;
    return new ClientState(
        isWaiting ? "waiting" : lent == null || isPinnedAndIdle() ? "idle" : "active",
        isWaiting ? System.nanoTime() - waitingSinceNanos : 0,
        lent == null ? 0 : lent.backend().key().processId(),
        pinned,
        statements.count(),
        transactions,
        answered);
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
    reader.proceed();
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

  // What the client sends.

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    if (!(message instanceof ByteBuf chunk) || phase == Phase.ENDED) {
      ReferenceCountUtil.release(message);
      return;
    }
    pool.traffic().fromClients(chunk.readableBytes());
    pool.database().received(chunk.readableBytes());
    reader.received(chunk);
  }

  // What reading it needs to know, and leads to.

  ClientStatements statements() {
    return statements;
  }

  /** The connection that is lent; null where none is. */
  @Nullable PooledServer server() {
    return server;
  }

  boolean isEnded() {
    return phase == Phase.ENDED;
  }

  /** Whether messages may be dealt with as they come. */
  boolean mayWork() {
    return phase == Phase.FREE || phase == Phase.RUNNING;
  }

  /** What decides, beside its text, what a statement of the client's means. */
  Prepared.Scope scope() {
    return settings.scope();
  }

  /** A message needs a connection; returns whether to go on. */
  boolean acquire() {
    waitingSinceNanos = System.nanoTime();
    phase = Phase.WAITING;
    PooledServer lent = pool.acquire(this);
    if (lent != null) {
      lend(lent);
    }
    return true;
  }

  /** Something on its way may change the session. */
  void suspect() {
    PooledServer lent = server;
    suspect = true;
    if (lent != null) {
      lent.becomesUncertain();
    }
  }

  /** A statement on its way may change the session. */
  void mayChange(SqlTraits traits) {
    suspect();
    hidden |= traits.hidesSettings();
    customSettings.addAll(traits.customSettings());
    hidden |= customSettings.size() > MAX_CUSTOM_SETTINGS;
  }

  /**
   * The client has sent what is not part of a COPY into one. PostgreSQL takes that message for an
   * error of the COPY's, and how many answers will follow cannot be told.
   */
  void breaksCopy() {
    channel.eventLoop().execute(() -> refuse(ClientReader.BREAKS_COPY));
  }

  /** A Sync went into what is copied in. */
  void syncIgnored() {
    reader.syncIgnored();
  }

  // The connection.

  /** A connection is free for the client that waited. */
  void given(PooledServer lent) {
    long waitedNanos = System.nanoTime() - waitingSinceNanos;
    pool.traffic().waited(waitedNanos);
    pool.database().waited(waitedNanos);
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
    reader.proceed();
  }

  private void lend(PooledServer lent) {
    pool.traffic().transaction();
    pool.database().transactions(1);
    transactions++;
    lent.begin(this);
    server = lent;
    if (!lent.isUncertain() && lent.settings().equals(settings)) {
      phase = Phase.RUNNING;
      return;
    }
    phase = Phase.RESTORING;
    pool.traffic().restored();
    restore(lent, settings.restoring().iterator());
  }

  private void restore(PooledServer lent, Iterator<byte[]> queries) {
    if (!queries.hasNext()) {
      lent.settingsBecame(settings);
      phase = Phase.RUNNING;
      reader.proceed();
      return;
    }
    lent.ask(
        queries.next(),
        new OwnQuery(
            row -> {},
            error -> {
              if (server != lent || phase != Phase.RESTORING) {
                return;
              }
              if (error == null && !lent.isUsable()) {
                lent.close(); // another one is as good: nothing of the client's was sent
              } else if (error == null) {
                restore(lent, queries);
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
    answered++;
    PooledServer lent = server;
    if (lent != null && lent.isQuiet()) {
      reader.allIsAnswered();
    }
    releaseIfOver();
  }

  /** The compute has said something. */
  void someIsAnswered() {
    channel.flush();
    reader.someIsAnswered();
  }

  /** Gives the connection back where the transaction is over. */
  void releaseIfOver() {
    PooledServer lent = server;
    if (lent == null || phase != Phase.RUNNING || !isOver(lent)) {
      return;
    }
    if (keepsConnection()) {
      keep();
    } else if (suspect || lent.isDoubtful()) {
      probe(lent);
    } else {
      release(lent);
    }
  }

  private boolean isOver(PooledServer lent) {
    return status == 'I' && reader.isBetweenTransactions() && holds == 0 && lent.isQuiet();
  }

  private boolean keepsConnection() {
    return pinned || pool.terms().mode() == PoolMode.SESSION;
  }

  private boolean isPinnedAndIdle() {
    PooledServer lent = server;
    return keepsConnection() && lent != null && phase == Phase.RUNNING && isOver(lent);
  }

  /** A client that keeps its connection is between two transactions. */
  private void keep() {
    if (draining != null) {
      endIfIdle();
    } else if (pool.isPaused()) {
      waitingSinceNanos = System.nanoTime();
      phase = Phase.HELD;
    }
  }

  /** The branch was paused. */
  void pauseBegan() {
    releaseIfOver();
  }

  /** It goes on. */
  void resumed() {
    if (phase == Phase.HELD) {
      phase = Phase.RUNNING;
      reader.proceed();
    }
  }

  /** Whether it keeps a connection that nothing runs on. */
  boolean isHeld() {
    return phase == Phase.HELD;
  }

  /** Ends the session as soon as it is between two transactions. */
  public void drain(String reason) {
    draining = reason;
    endIfIdle();
  }

  private void endIfIdle() {
    String why = draining;
    boolean isIdle =
        switch (phase) {
          case GREETING, FREE, HELD -> true;
          case WAITING -> true; // nothing of the next transaction was sent to a compute
          case RUNNING -> isPinnedAndIdle();
          case RESTORING, PROBING, ENDED -> false;
        };
    if (why != null && isIdle) {
      terminate(why);
    }
  }

  private void release(PooledServer lent) {
    reader.pass();
    server = null;
    phase = Phase.FREE;
    channel.flush();
    reader.readMore(true); // whatever the connection took, or not
    pool.release(lent);
    endIfIdle();
    reader.proceedLater();
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
      keep(); // it may have been paused, or be draining, meanwhile
      reader.proceed();
      return;
    }
    SessionSettings now = probe.settings();
    lent.settingsBecame(now);
    settings = now.orElse(initial);
    if (probe.prepared() != lent.statements().count()) {
      lent.statements().confused();
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
    giveUpWaiting(refusals.apply(error));
  }

  /** How the client is told why no connection can be opened. */
  public void tellBy(Function<Throwable, ErrorResponse> words) {
    refusals = words;
  }

  void waitedTooLong(long timeoutMs) {
    giveUpWaiting(
        ErrorResponse.fatal(
            SqlState.TOO_MANY_CONNECTIONS,
            "no connection of the pool was free for "
                + timeoutMs / 1000
                + " s: all are in use by other transactions"));
  }

  /** A cancel request has come: what waits for a connection is not done. */
  public void cancelWaiting() {
    if (phase == Phase.WAITING) {
      pool.forget(this);
      giveUpWaiting(
          ErrorResponse.fatal(SqlState.QUERY_CANCELED, "canceling statement due to user request"));
    }
  }

  /** Who has not begun is refused; the message that waits is answered, and the session goes on. */
  private void giveUpWaiting(ErrorResponse error) {
    if (phase == Phase.GREETING) {
      refuse(error);
    } else if (phase == Phase.WAITING && reader.answerWaiting(error)) {
      phase = Phase.FREE;
      channel.flush();
      reader.proceed();
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

  /** The compute is gone, or does not keep to the protocol. */
  void serverGone(PooledServer lent, @Nullable ErrorFrame lastError) {
    if (server != lent) {
      return;
    }
    server = null;
    reader.forgetKept();
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
      end.close(Cause.COMPUTE);
      return;
    }
    refuse(
        ErrorResponse.fatal(
            SqlState.CONNECTION_FAILURE, "the connection to the compute was lost: connect again"));
  }

  void serverWritable(boolean writable) {
    if (writable) {
      reader.proceed();
    }
    reader.readMore(writable);
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
      channel.eventLoop().execute(reader::resume);
    }
    context.fireChannelWritabilityChanged();
  }

  // The end.

  /** The client says that it goes. */
  void bye() {
    ended();
    end.close(Cause.TERMINATED);
  }

  /** Tells the client why its session ends, unless it would take that for a part of a row. */
  void refuse(ErrorResponse error) {
    if (phase == Phase.ENDED) {
      return;
    }
    PooledServer lent = server;
    boolean isInMessage = lent != null && lent.isInMessage();
    ended();
    if (isInMessage) {
      end.close(Cause.COMPUTE);
    } else {
      end.refuse(error);
    }
  }

  /** Ends the session from the gateway's side. */
  public void terminate(String reason) {
    refuse(ErrorResponse.fatal(SqlState.ADMIN_SHUTDOWN, "terminating connection: " + reason));
  }

  /** The client is gone. */
  public void closed() {
    ended();
  }

  private void ended() {
    if (phase == Phase.ENDED) {
      return;
    }
    boolean isOver = phase == Phase.RUNNING && status == 'I' && reader.isBetweenTransactions();
    reader.end();
    phase = Phase.ENDED;
    pool.forget(this);
    PooledServer lent = server;
    server = null;
    if (lent != null) {
      lent.flush();
      if (isOver && holds == 0 && lent.isQuiet() && !lent.isDoubtful()) {
        pool.reset(lent); // a whole session
      } else {
        lent.close(); // in the middle of a transaction
      }
    }
    statements.clear();
    pool.leave();
  }

  /** The client will send nothing more: it may have said so, and wait for what it asked before. */
  @Override
  public void userEventTriggered(ChannelHandlerContext context, Object event) {
    if (event instanceof ChannelInputShutdownEvent
        && (phase == Phase.HELD || !reader.isLeaving())) {
      ended();
      end.close(Cause.GONE);
    }
    context.fireUserEventTriggered(event);
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    ended();
    context.fireChannelInactive();
  }
}
