package dev.ebb.gateway.route;

import dev.ebb.gateway.limit.LimitException;
import dev.ebb.gateway.limit.Limits;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.ComputeMessage;
import dev.ebb.shared.bus.ComputeMessage.ComputeReady;
import dev.ebb.shared.bus.ComputeMessage.ConnectBranch;
import dev.ebb.shared.bus.ComputeMessage.Damage;
import dev.ebb.shared.bus.ComputeMessage.Damages;
import dev.ebb.shared.bus.ComputeMessage.DescribeDamage;
import dev.ebb.shared.bus.ComputeMessage.LoginFound;
import dev.ebb.shared.bus.ComputeMessage.LookupLogin;
import dev.ebb.shared.bus.ComputeMessage.WakeBranch;
import dev.ebb.shared.bus.Request;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import io.vertx.core.Future;
import java.util.List;

/** What the gateway asks the computes' hosts. */
public final class Computes {
  private static final long LOOKUP_TIMEOUT_MS = 10_000;

  /** A client waits for it with an error in sight. */
  private static final long DAMAGE_TIMEOUT_MS = 500;

  private final Bus bus;
  private final long wakeTimeoutMs;
  private final Limits limits;

  public Computes(Bus bus, long wakeTimeoutMs, Limits limits) {
    this.limits = limits;
    this.bus = bus;
    this.wakeTimeoutMs = wakeTimeoutMs;
  }

  /** The damaged pages that the branch's compute met lately. */
  public Future<List<Damage>> damages(BranchId branch) {
    return bus.request(Addresses.COMPUTE, new DescribeDamage(branch), DAMAGE_TIMEOUT_MS)
        .map(Damages::latest);
  }

  /**
   * Wakes the branch for a client that came by a name; answers when its primary accepts
   * connections. {@code NotFound} where the name means another branch by now, {@link
   * LimitException} where the database was started too often.
   */
  public Future<ComputeReady> connect(BranchId branch, BranchAddress calledAs, long timeoutMs) {
    return wake(new ConnectBranch(branch, calledAs), branch, calledAs.database(), timeoutMs);
  }

  private <Q extends ComputeMessage & Request<ComputeReady>> Future<ComputeReady> wake(
      Q request, BranchId branch, String database, long timeoutMs) {
    try {
      limits.wakes(database, branch);
    } catch (LimitException e) {
      return Future.failedFuture(e);
    }
    return bus.request(Addresses.COMPUTE, request, Math.max(1, timeoutMs))
        .onSuccess(ready -> limits.woken(database, ready));
  }

  /** The role as it is now, and what the database says. Wakes the branch where only that tells. */
  public Future<LoginFound> login(BranchId branch, String role, String database) {
    return lookup(branch, role, database)
        .compose(answer ->
            answer.wakeNeeded()
                ? wake(new WakeBranch(branch), branch, database, wakeTimeoutMs)
                    .compose(ready -> lookup(branch, role, database))
                    .map(Computes::requireKnown)
                : Future.succeededFuture(answer));
  }

  private Future<LoginFound> lookup(BranchId branch, String role, String database) {
    return bus.request(
        Addresses.COMPUTE, new LookupLogin(branch, role, database), LOOKUP_TIMEOUT_MS);
  }

  private static LoginFound requireKnown(LoginFound answer) {
    if (answer.wakeNeeded()) {
      throw new EbbException.Unavailable(
          "the compute stopped again before its roles could be read: try again");
    }
    return answer;
  }
}
