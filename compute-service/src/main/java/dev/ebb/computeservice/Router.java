package dev.ebb.computeservice;

import dev.ebb.computeservice.lifecycle.Host;
import dev.ebb.computeservice.placement.Placement;
import dev.ebb.computeservice.provision.DatabaseProvisioner;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.ComputeMessage;
import dev.ebb.shared.bus.Ok;
import dev.ebb.shared.bus.Request;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.HostId;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.Supplier;

/**
 * Takes the requests of this host. What arrives at the address that all hosts share is passed on to
 * the host that it is for; what arrives at this host's own address is done here.
 */
final class Router {
  /** Above every bound inside a host: recovery is the longest thing that is ever waited for. */
  private static final long PASS_ON_TIMEOUT_MS = 120_000;

  private final Host host;
  private final Placement placement;
  private final DatabaseProvisioner provisioner;
  private final Bus bus;
  private final Executor tasks;

  Router(Host host, Placement placement, DatabaseProvisioner provisioner, Bus bus, Executor tasks) {
    this.host = host;
    this.placement = placement;
    this.provisioner = provisioner;
    this.bus = bus;
    this.tasks = tasks;
  }

  /** Begins to answer. */
  void listen() {
    bus.answer(Addresses.host(host.id()), this::here);
    bus.answer(Addresses.COMPUTE, this::route);
  }

  private Future<? extends BusMessage> route(BusMessage message) {
    return switch (message) {
      case ComputeMessage.WakeBranch wake ->
          to(
              placement
                  .hostFor(wake.branch())
                  .orElseThrow(() ->
                      new EbbException.Exhausted(
                          "no host has room for another compute: suspend one, add memory or"
                              + " add a host")),
              wake);
      case ComputeMessage.SuspendBranch suspend ->
          toOwner(placement.owner(suspend.branch()), suspend);
      case ComputeMessage.LookupRole lookup -> toOwner(placement.owner(lookup.branch()), lookup);
      case ComputeMessage.DescribeDamage describe ->
          toOwner(placement.owner(describe.branch()), describe);
      default -> here(message);
    };
  }

  private <R extends BusMessage, Q extends ComputeMessage & Request<R>>
      Future<? extends BusMessage> toOwner(Optional<HostId> owner, Q request) {
    return to(owner.orElse(host.id()), request);
  }

  private <R extends BusMessage, Q extends ComputeMessage & Request<R>>
      Future<? extends BusMessage> to(HostId target, Q request) {
    return target.equals(host.id())
        ? here(request)
        : bus.request(Addresses.host(target), request, PASS_ON_TIMEOUT_MS);
  }

  private Future<? extends BusMessage> here(BusMessage message) {
    return switch (message) {
      case ComputeMessage.WakeBranch wake -> task(() -> host.wake(wake.branch()));
      case ComputeMessage.SuspendBranch suspend ->
          task(() -> host.suspend(suspend.branch(), suspend.onlyIfIdleMs()));
      case ComputeMessage.LookupRole lookup ->
          task(() -> host.role(lookup.branch(), lookup.role()));
      case ComputeMessage.DescribeDamage describe ->
          task(() -> new ComputeMessage.Damages(host.damages(describe.branch())));
      case ComputeMessage.DiscardBranch discard ->
          task(() -> {
            host.discard(discard.branch());
            return new Ok();
          });
      case ComputeMessage.CreateDatabase create -> task(() -> provisioner.create(create));
      case ComputeMessage.DropDatabase drop ->
          task(() -> {
            provisioner.drop(drop.name());
            return new Ok();
          });
      default ->
          Future.failedFuture(
              new EbbException.Invalid(
                  message.getClass().getSimpleName() + " is not for a compute host"));
    };
  }

  private <T> Future<T> task(Supplier<T> work) {
    Promise<T> done = Promise.promise();
    tasks.execute(() -> {
      try {
        done.complete(work.get());
      } catch (Throwable e) {
        done.fail(e);
      }
    });
    return done.future();
  }
}
