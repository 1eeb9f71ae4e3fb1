package dev.ebb.gateway.pool;

import dev.ebb.gateway.relay.DatabaseTraffics;
import dev.ebb.gateway.relay.ErrorDetails;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import io.netty.channel.EventLoop;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The pools of one event loop. Confined to it, but for what says otherwise. */
public final class Pools {
  private static final Logger log = LoggerFactory.getLogger(Pools.class);
  private static final long TICK_MS = 1_000;

  private final Shared shared;
  private final EventLoop loop;
  private final Map<PoolKey, Pool> byKey = new HashMap<>();
  private final ScheduledFuture<?> ticking;

  /** As of the last tick. For any thread. */
  private volatile PoolUse use = PoolUse.NONE;

  /** What the loops have in common. For any thread. */
  public static final class Shared {
    private final PoolConfig config;
    private final PoolLimits limits;
    private final PoolTraffic traffic;
    private final DatabaseTraffics databases;
    private final Pauses pauses;
    private final List<Pools> loops = new CopyOnWriteArrayList<>();

    /** The pools of all loops. */
    private final Map<PoolLimits.Owner, Set<Pool>> byOwner = new ConcurrentHashMap<>();

    public Shared(
        PoolConfig config, PoolTraffic traffic, DatabaseTraffics databases, Pauses pauses) {
      this.config = config;
      this.limits = new PoolLimits(config);
      this.traffic = traffic;
      this.databases = databases;
      this.pauses = pauses;
      traffic.uses(this::use);
    }

    private PoolUse use() {
      return loops.stream().map(each -> each.use).reduce(PoolUse.NONE, PoolUse::plus);
    }

    /** What all the pools are like, each as its own event loop says. From any thread. */
    public Future<List<PoolInfo>> describe() {
      return onLoops(pools -> pools.byKey.values().stream().map(Pool::describe).toList())
          .map(lists -> lists.stream().flatMap(List::stream).toList());
    }

    /** {@link Pauses} has changed to a pause of these. From any thread. */
    public Future<Void> pauseBegan(Predicate<String> addresses) {
      return onLoops(
              pools -> {
                pools.matching(addresses).forEach(Pool::pauseBegan);
                return true;
              })
          .mapEmpty();
    }

    /** On how many connections something still runs. From any thread. */
    public Future<Integer> busy(Predicate<String> addresses) {
      return onLoops(pools -> pools.matching(addresses).stream().mapToInt(Pool::busy).sum())
          .map(sums -> sums.stream().mapToInt(Integer::intValue).sum());
    }

    /** {@link Pauses} has changed, and these go on. From any thread. */
    public Future<Void> resumed(Predicate<String> addresses) {
      return onLoops(
              pools -> {
                pools.matching(addresses).forEach(Pool::resumed);
                return true;
              })
          .mapEmpty();
    }

    /** Ends all connections to computes. From any thread. */
    public Future<Void> closeAll(Predicate<String> addresses) {
      return onLoops(
              pools -> {
                pools.matching(addresses).forEach(Pool::closeAll);
                return true;
              })
          .mapEmpty();
    }

    private <T> Future<List<T>> onLoops(Function<Pools, T> task) {
      List<Future<T>> answers =
          loops.stream()
              .map(each -> {
                Promise<T> answer = Promise.promise();
                each.loop.execute(() -> {
                  try {
                    answer.complete(task.apply(each));
                  } catch (RuntimeException e) {
                    answer.fail(e);
                  }
                });
                return answer.future();
              })
              .toList();
      return Future.all(answers).map(all -> answers.stream().map(Future::result).toList());
    }

    /** From any thread. */
    public void heard(HostAnnouncement announcement) {
      loops.forEach(each -> each.loop.execute(() -> each.hear(announcement)));
    }
  }

  public Pools(Shared shared, EventLoop loop) {
    this.shared = shared;
    this.loop = loop;
    shared.loops.add(this);
    ticking = loop.scheduleAtFixedRate(this::tick, TICK_MS, TICK_MS, TimeUnit.MILLISECONDS);
  }

  /** Ends all connections to computes. */
  public void close() {
    ticking.cancel(false);
    shared.loops.remove(this);
    List.copyOf(byKey.values()).forEach(Pool::closeAll);
  }

  PoolConfig config() {
    return shared.config;
  }

  PoolLimits limits() {
    return shared.limits;
  }

  PoolTraffic traffic() {
    return shared.traffic;
  }

  DatabaseTraffics databases() {
    return shared.databases;
  }

  Pauses pauses() {
    return shared.pauses;
  }

  private List<Pool> matching(Predicate<String> addresses) {
    return byKey.values().stream().filter(pool -> addresses.test(pool.key().address())).toList();
  }

  /**
   * The pool that a client belongs to from now on; {@link Pool#leave} must follow.
   *
   * @param opener opens a connection with what the client has proven
   */
  Pool enter(PoolKey key, ErrorDetails details, Supplier<Future<Pool.Opened>> opener) {
    Pool pool =
        byKey.computeIfAbsent(
            key,
            wanted -> {
              var made = new Pool(wanted, this, details, opener);
              shared.byOwner.compute(
                  wanted.owner(),
                  (owner, pools) -> {
                    Set<Pool> all = pools == null ? ConcurrentHashMap.newKeySet() : pools;
                    all.add(made);
                    return all;
                  });
              return made;
            });
    pool.enter(opener);
    return pool;
  }

  void forgetIfUnused(Pool pool) {
    if (pool.isUnused()) {
      byKey.remove(pool.key(), pool);
      shared.byOwner.computeIfPresent(
          pool.key().owner(),
          (owner, pools) -> {
            pools.remove(pool);
            return pools.isEmpty() ? null : pools;
          });
    }
  }

  /** Lets the connection's bytes through to it. */
  void connect(PooledServer server) {
    var pipeline = server.channel().pipeline();
    pipeline.addBefore(pipeline.lastContext().name(), "pooled", server);
  }

  /** A pool cannot open another connection: one that nobody uses gives way, on any loop. */
  void askOthers(Pool pool) {
    PoolLimits.Owner owner = pool.key().owner();
    if (closeOneIdle(owner, pool)) {
      return;
    }
    for (Pools each : shared.loops) {
      if (each != this) {
        each.loop.execute(() -> each.closeOneIdle(owner, null));
      }
    }
  }

  /** The pools of the same role, on all loops. */
  Stream<Pool> siblings(Pool pool) {
    return shared.byOwner.getOrDefault(pool.key().owner(), Set.of()).stream()
        .filter(each -> each != pool);
  }

  private boolean closeOneIdle(PoolLimits.Owner owner, @Nullable Pool but) {
    for (Pool pool : byKey.values()) {
      if (pool != but && pool.key().owner().equals(owner) && pool.closeOneIdle()) {
        return true;
      }
    }
    for (Pool pool : byKey.values()) {
      boolean sameBranch = pool.key().branch().equals(owner.branch());
      if (pool != but && sameBranch && pool.closeOneIdle()) {
        return true;
      }
    }
    return false;
  }

  /** A connection is gone, so that others may open one. */
  void freed(Pool pool) {
    PoolLimits.Owner owner = pool.key().owner();
    for (Pools each : shared.loops) {
      each.loop.execute(() -> each.mayGrow(owner));
    }
  }

  private void mayGrow(PoolLimits.Owner owner) {
    for (Pool pool : List.copyOf(byKey.values())) {
      if (pool.key().branch().equals(owner.branch()) && pool.waitingCount() > 0) {
        pool.mayGrow();
      }
    }
  }

  private void hear(HostAnnouncement announcement) {
    List.copyOf(byKey.values()).forEach(pool -> pool.heard(announcement));
  }

  private void tick() {
    use =
        byKey.values().stream()
            .map(pool -> PoolUse.of(pool.describe()))
            .reduce(PoolUse.NONE, PoolUse::plus);
    for (Pool pool : List.copyOf(byKey.values())) {
      try {
        pool.tick();
      } catch (RuntimeException e) {
        log.error("a pool failed", e);
      }
    }
  }
}
