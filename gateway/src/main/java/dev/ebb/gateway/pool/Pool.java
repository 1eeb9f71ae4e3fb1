package dev.ebb.gateway.pool;

import dev.ebb.gateway.protocol.SqlState;
import dev.ebb.gateway.relay.DatabaseTraffic;
import dev.ebb.gateway.relay.ErrorDetails;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.Generation;
import io.netty.channel.Channel;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The connections to computes that clients of one kind share on one event loop, and the clients
 * that wait for one, first come first served. Confined to that loop.
 */
public final class Pool {
  private static final Logger log = LoggerFactory.getLogger(Pool.class);

  /** After which a client is told that it waits. */
  private static final long TELL_AFTER_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** How long another loop's client waits before a connection is given up for it. */
  private static final long PATIENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  /** By what factor its wait must be the longer one. */
  private static final int UNFAIR = 4;

  /** A connection that is given up is opened again elsewhere: a login is dear. */
  private static final long GIVING_INTERVAL_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  /** How long the other loop may take to open one in its place. */
  private static final long HANDING_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  private final PoolKey key;
  private final Pools pools;
  private final ErrorDetails details;
  private final DatabaseTraffic database;
  private final PoolTerms terms;
  private final Statements statements = new Statements();
  private final ArrayDeque<PooledServer> idle = new ArrayDeque<>();
  private final ArrayDeque<Waiter> waiting = new ArrayDeque<>();
  private final Set<PooledServer> all = new LinkedHashSet<>();
  private Supplier<Future<Opened>> opener;
  private @Nullable Buffer greeting;
  private int opening;
  private int clients;
  private long gaveNanos;

  /** The newest start of the compute that was heard of. */
  private @Nullable Generation seen;

  /** Since when the first waits; {@code Long.MAX_VALUE} where none does. Read by other loops. */
  private volatile long waitsSinceNanos = Long.MAX_VALUE;

  /** A client that waits since when, and whether it was told so. */
  private static final class Waiter {
    final PooledClient client;
    long sinceNanos = System.nanoTime();
    boolean told;

    Waiter(PooledClient client) {
      this.client = client;
    }
  }

  /**
   * A connection that was logged into.
   *
   * @param greeting what the compute said before it was ready: settings, mostly
   */
  public record Opened(Backend backend, Channel channel, Buffer greeting) {}

  Pool(PoolKey key, Pools pools, ErrorDetails details, Supplier<Future<Opened>> opener) {
    this.key = key;
    this.pools = pools;
    this.details = details;
    this.database = pools.databases().of(key.database());
    this.opener = opener;
    this.terms = pools.config().termsOf(key.database(), key.user());
  }

  PoolKey key() {
    return key;
  }

  PoolConfig config() {
    return pools.config();
  }

  PoolTerms terms() {
    return terms;
  }

  Statements statements() {
    return statements;
  }

  ErrorDetails details() {
    return details;
  }

  PoolTraffic traffic() {
    return pools.traffic();
  }

  DatabaseTraffic database() {
    return database;
  }

  /** Whether transactions wait until somebody lets them go on. */
  boolean isPaused() {
    return pools.pauses().isPaused(key.address());
  }

  PoolInfo describe() {
    Waiter first = waiting.peek();
    return new PoolInfo(
        key.address(),
        key.user(),
        terms.mode(),
        clients,
        waiting.size(),
        opening,
        first == null ? 0 : System.nanoTime() - first.sinceNanos,
        all.stream().map(each -> each.describe(key)).toList());
  }

  /** The branch was paused: what runs may end, what is unused is closed. */
  void pauseBegan() {
    while (closeOneIdle()) {}
    for (PooledServer server : List.copyOf(all)) {
      PooledClient of = server.client();
      if (of != null) {
        of.pauseBegan();
      }
    }
  }

  /**
   * How many connections something runs on, while the branch is paused; those that are being opened
   * are among them: they wake the compute, however late that is.
   */
  int busy() {
    int busy = opening;
    for (PooledServer server : all) {
      PooledClient of = server.client();
      if (of == null || !of.isHeld()) {
        busy++;
      }
    }
    return busy;
  }

  /** The branch goes on; who waits has waited for nothing so far. */
  void resumed() {
    long now = System.nanoTime();
    waiting.forEach(each -> each.sinceNanos = now);
    noteFirst();
    for (PooledServer server : List.copyOf(all)) {
      PooledClient of = server.client();
      if (of != null) {
        of.resumed();
      }
    }
    grow();
  }

  /** A client belongs to the pool; it has proven who it is by what {@code next} opens with. */
  void enter(Supplier<Future<Opened>> next) {
    clients++;
    opener = next;
  }

  void leave() {
    clients--;
    pools.forgetIfUnused(this);
  }

  boolean isUnused() {
    return clients == 0 && all.isEmpty() && opening == 0;
  }

  int waitingCount() {
    return waiting.size();
  }

  /** What a client is told before its first statement; null before any connection was opened. */
  @Nullable Buffer greeting() {
    return greeting;
  }

  /** A connection for a transaction; null: {@link PooledClient#given} will be called. */
  @Nullable PooledServer acquire(PooledClient client) {
    if (waiting.isEmpty() && !isPaused()) {
      PooledServer free = free();
      if (free != null) {
        return free;
      }
    }
    waiting.add(new Waiter(client));
    noteFirst();
    grow();
    return null;
  }

  /** The one that was used last: the others may grow old. */
  private @Nullable PooledServer free() {
    PooledServer last;
    while ((last = idle.pollLast()) != null) {
      if (last.isUsable()) {
        return last;
      }
    }
    return null;
  }

  /** A client does not wait any more. */
  void forget(PooledClient client) {
    waiting.removeIf(each -> each.client == client);
    noteFirst();
  }

  /** The first of those who wait may be another one. */
  private void noteFirst() {
    Waiter first = waiting.peek();
    waitsSinceNanos = first == null ? Long.MAX_VALUE : first.sinceNanos;
  }

  private void grow() {
    if (isPaused()) {
      return;
    }
    if (gaveNanos != 0 && System.nanoTime() - gaveNanos < HANDING_NANOS) {
      return; // what was given up is not taken back
    }
    while (opening < waiting.size() && mayOpen()) {
      open();
    }
    if (!waiting.isEmpty() && all.isEmpty() && opening == 0) {
      pools.askOthers(this);
    }
  }

  private boolean mayOpen() {
    return !isPaused() && pools.limits().take(key.owner(), terms.size());
  }

  private void open() {
    opening++;
    Future<Opened> attempt;
    try {
      attempt = opener.get();
    } catch (RuntimeException e) {
      attempt = Future.failedFuture(e);
    }
    attempt.onComplete(
        opened -> {
          opening--;
          opened(opened);
        },
        error -> {
          opening--;
          pools.limits().give(key.owner());
          openFailed(error);
        });
  }

  private void opened(Opened opened) {
    if (greeting == null) {
      greeting = opened.greeting();
    }
    var server = new PooledServer(this, opened.backend(), opened.channel());
    all.add(server);
    pools.connect(server);
    if (!opened.channel().isActive()) {
      server.close();
      return;
    }
    greetWaiting();
    if (waiting.isEmpty()) {
      warm(server);
    } else {
      release(server);
    }
    openMinimum();
  }

  /** Nobody waits for it: so it is used once before somebody does. */
  private void warm(PooledServer server) {
    server.ask(
        config().warmQuery().getBytes(StandardCharsets.UTF_8),
        new OwnQuery(
            row -> {},
            error -> {
              if (error != null) {
                log.warn("the query that warms connections failed: {}", error.message());
              }
              release(server);
            }));
  }

  private void openMinimum() {
    while (all.size() + opening < terms.minimum() && mayOpen()) {
      open();
    }
  }

  /** Who waits only to be told that it may begin needs no connection for it. */
  private void greetWaiting() {
    List<PooledClient> greeted =
        waiting.stream().map(each -> each.client).filter(PooledClient::isGreeting).toList();
    waiting.removeIf(each -> each.client.isGreeting());
    noteFirst();
    greeted.forEach(PooledClient::greetIfKnown);
  }

  /** Others may still become free; where there are none, nobody waits for nothing. */
  private void openFailed(Throwable error) {
    boolean isLimit =
        error instanceof RefusedByCompute refused
            && refused.sqlState().equals(SqlState.TOO_MANY_CONNECTIONS);
    if (all.isEmpty() || !isLimit) {
      int failed = all.isEmpty() && opening == 0 ? waiting.size() : 1;
      for (int i = 0; i < failed; i++) {
        Waiter first = waiting.poll();
        noteFirst();
        if (first != null) {
          first.client.refused(error);
        }
      }
    }
    pools.forgetIfUnused(this);
  }

  /** Why a compute did not let a connection in. */
  public static final class RefusedByCompute extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String sqlState;

    public RefusedByCompute(String sqlState, String message) {
      super(message, null, false, false);
      this.sqlState = sqlState;
    }

    String sqlState() {
      return sqlState;
    }
  }

  /** A transaction is over, or a connection is new. */
  void release(PooledServer server) {
    long now = System.nanoTime();
    if (server.statements().isConfused()) {
      server.end();
      server.statements().clear();
      server.ask(
          "DEALLOCATE ALL".getBytes(StandardCharsets.US_ASCII),
          new OwnQuery(row -> {}, error -> release(server)));
      return;
    }
    boolean isOld =
        now - server.openedNanos() > TimeUnit.MILLISECONDS.toNanos(config().lifetimeMs());
    if (isOld || isPaused() || !server.isUsable() || givesUpFor(now)) {
      server.close();
      return;
    }
    Waiter first = waiting.poll();
    noteFirst();
    server.end();
    if (first == null) {
      idle.addLast(server);
    } else {
      first.client.given(server);
    }
  }

  /**
   * A client's session has ended, and what it left in the session of its connection is taken away.
   */
  void reset(PooledServer server) {
    server.end();
    server.becomesUncertain();
    server.ask(
        "DISCARD ALL".getBytes(StandardCharsets.US_ASCII),
        new OwnQuery(
            row -> {},
            error -> {
              if (error != null) {
                server.close();
                return;
              }
              server.settingsBecame(SessionSettings.OPENED);
              release(server);
            }));
  }

  /** Whether another loop's client has waited too long beside those who wait here. */
  private boolean givesUpFor(long now) {
    if (gaveNanos != 0 && now - gaveNanos < GIVING_INTERVAL_NANOS) {
      return false;
    }
    long here = waitsSinceNanos == Long.MAX_VALUE ? 0 : now - waitsSinceNanos;
    boolean gives =
        pools
            .siblings(this)
            .anyMatch(other -> {
              long since = other.waitsSinceNanos;
              long there = since == Long.MAX_VALUE ? 0 : now - since;
              return there > PATIENCE_NANOS && there > UNFAIR * here;
            });
    if (gives) {
      gaveNanos = now;
    }
    return gives;
  }

  /** A connection is no more. */
  void gone(PooledServer server) {
    if (all.remove(server)) {
      idle.remove(server);
      pools.limits().give(key.owner());
      pools.freed(this);
      pools.forgetIfUnused(this);
    }
  }

  /** Something may be opened again. */
  void mayGrow() {
    grow();
  }

  /** Gives up a connection that nobody uses, for others to be opened. */
  boolean closeOneIdle() {
    PooledServer first = idle.pollFirst();
    if (first == null) {
      return false;
    }
    first.close();
    return true;
  }

  void closeAll() {
    List.copyOf(all).forEach(PooledServer::close);
  }

  /** To be called about once a second. */
  void tick() {
    long now = System.nanoTime();
    long timeoutNanos = TimeUnit.MILLISECONDS.toNanos(config().waitTimeoutMs());
    while (!waiting.isEmpty()
        && !isPaused()
        && now - waiting.getFirst().sinceNanos > timeoutNanos) {
      PooledClient first = waiting.removeFirst().client;
      noteFirst();
      first.waitedTooLong(config().waitTimeoutMs());
    }
    for (Waiter each : waiting) {
      if (!each.told && now - each.sinceNanos > TELL_AFTER_NANOS) {
        each.told = true;
        each.client.tellWaiting(waiting.size());
      }
    }
    long idleNanos = TimeUnit.MILLISECONDS.toNanos(config().idleTimeoutMs());
    long lifeNanos = TimeUnit.MILLISECONDS.toNanos(config().lifetimeMs());
    for (PooledServer server : List.copyOf(idle)) {
      boolean isOld = now - server.openedNanos() > lifeNanos;
      boolean isUnused =
          now - server.idleSinceNanos() > idleNanos
              && (all.size() > terms.minimum() || clients == 0);
      if (isOld || isUnused) {
        idle.remove(server);
        server.close();
      }
    }
    if (!waiting.isEmpty()) {
      grow();
      pools.askOthers(this);
    }
  }

  /**
   * Ends connections to a compute that a newer generation has taken over from; opens some to one
   * that has just woken.
   */
  void heard(HostAnnouncement announcement) {
    for (var compute : announcement.computes()) {
      if (compute.branch().equals(key.branch())) {
        if (compute.state() == ComputeStatus.State.RUNNING) {
          awake(compute.generation());
        }
        for (PooledServer server : List.copyOf(all)) {
          Generation own = server.backend().generation();
          if (own != null && own.compareTo(compute.generation()) < 0) {
            log.info(
                "closing a connection to generation {} of {}", own, Objects.toString(key.branch()));
            server.close();
          }
        }
      }
    }
  }

  /**
   * A compute runs. Once for each start of it: connections that are opened to one that is about to
   * be suspended would wake it again.
   */
  private void awake(Generation generation) {
    Generation before = seen;
    if (before == null || before.compareTo(generation) < 0) {
      seen = generation;
      if (clients > 0) {
        openMinimum();
      }
    }
  }
}
