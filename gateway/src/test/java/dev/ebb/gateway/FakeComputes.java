package dev.ebb.gateway;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.ComputeMessage.ComputeReady;
import dev.ebb.shared.bus.ComputeMessage.ConnectBranch;
import dev.ebb.shared.bus.ComputeMessage.Damages;
import dev.ebb.shared.bus.ComputeMessage.DescribeDamage;
import dev.ebb.shared.bus.ComputeMessage.LoginFound;
import dev.ebb.shared.bus.ComputeMessage.LookupLogin;
import dev.ebb.shared.bus.ComputeMessage.WakeBranch;
import dev.ebb.shared.bus.ComputeMessage.WakeParts;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.HostId;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/** Stands for the computes' hosts: every branch is one real PostgreSQL. */
public final class FakeComputes {
  public static final BranchId SHOP = new BranchId("shopmain");
  static final HostId HOST = new HostId("host1");

  private final RealPostgres postgres;
  final AtomicInteger wakes = new AtomicInteger();
  final List<ConnectBranch> connects = new CopyOnWriteArrayList<>();
  final AtomicInteger lookups = new AtomicInteger();

  /** What the n-th wake (from 1) answers. */
  public volatile IntFunction<Future<ComputeReady>> onWake;

  /** What questions for damage are answered with. */
  volatile Supplier<Future<Damages>> onDamage =
      () -> Future.succeededFuture(new Damages(List.of()));

  /** Lookups answer "wake needed" until something woke the branch. */
  volatile boolean rolesNeedWake;

  FakeComputes(Vertx vertx, RealPostgres postgres) {
    this.postgres = postgres;
    this.onWake = n -> Future.succeededFuture(ready(postgres.port()));
    new Bus(vertx).answer(Addresses.COMPUTE, this::answer);
  }

  public static ComputeReady ready(int port) {
    return new ComputeReady(
        SHOP, new Generation(3), HOST, "127.0.0.1", port, true, new WakeParts(1, 2, 3, 4, 5, 15));
  }

  private Future<? extends BusMessage> answer(BusMessage message) {
    return switch (message) {
      case ConnectBranch connect -> {
        connects.add(connect);
        yield onWake.apply(wakes.incrementAndGet());
      }
      case WakeBranch wake -> onWake.apply(wakes.incrementAndGet());
      case LookupLogin lookup -> {
        lookups.incrementAndGet();
        yield rolesNeedWake && wakes.get() == 0
            ? Future.succeededFuture(new LoginFound(null, null, true))
            : login(lookup);
      }
      case DescribeDamage damage -> onDamage.get();
      default -> throw new EbbException.Invalid("not faked: " + message);
    };
  }

  private Future<LoginFound> login(LookupLogin lookup) {
    Promise<LoginFound> found = Promise.promise();
    Thread.ofVirtual()
        .start(() -> {
          try {
            found.complete(
                new LoginFound(
                    postgres.role(lookup.role()).orElse(null),
                    postgres.access(lookup.role(), lookup.database()).orElse(null),
                    false));
          } catch (RuntimeException e) {
            found.fail(e);
          }
        });
    return found.future();
  }
}
