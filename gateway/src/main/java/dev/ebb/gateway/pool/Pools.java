package dev.ebb.gateway.pool;

import dev.ebb.gateway.relay.ErrorDetails;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import io.netty.channel.EventLoop;
import io.vertx.core.Future;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
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

  /** What the loops have in common. For any thread. */
  public static final class Shared {
    private final PoolConfig config;
    private final PoolLimits limits;
    private final PoolTraffic traffic;
    private final List<Pools> loops = new CopyOnWriteArrayList<>();

    /** The pools of all loops. */
    private final Map<PoolLimits.Owner, Set<Pool>> byOwner = new ConcurrentHashMap<>();

    public Shared(PoolConfig config, PoolTraffic traffic) {
      this.config = config;
      this.limits = new PoolLimits(config);
      this.traffic = traffic;
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
    for (Pool pool : List.copyOf(byKey.values())) {
      try {
        pool.tick();
      } catch (RuntimeException e) {
        log.error("a pool failed", e);
      }
    }
  }
}
