package dev.ebb.computeservice;

import dev.ebb.computeservice.lifecycle.Host;
import dev.ebb.computeservice.lifecycle.Replicas;
import dev.ebb.computeservice.placement.Placement;
import dev.ebb.computeservice.provision.BranchProvisioner;
import dev.ebb.computeservice.provision.Provision;
import dev.ebb.computeservice.replicas.ReplicaKeeper;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.ComputeMessage;
import dev.ebb.shared.bus.Ok;
import dev.ebb.shared.bus.Request;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
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
  private final Replicas replicas;
  private final ReplicaKeeper keeper;
  private final Placement placement;
  private final Provision provision;
  private final Bus bus;
  private final Executor tasks;

  Router(
      Host host,
      Replicas replicas,
      ReplicaKeeper keeper,
      Placement placement,
      Provision provision,
      Bus bus,
      Executor tasks) {
    this.host = host;
    this.replicas = replicas;
    this.keeper = keeper;
    this.placement = placement;
    this.provision = provision;
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
      case ComputeMessage.WakeBranch wake -> to(hostFor(wake.branch()), wake);
      case ComputeMessage.ConnectBranch connect -> to(hostFor(connect.branch()), connect);
      case ComputeMessage.CaptureBranch capture ->
          toOwner(placement.owner(capture.branch()), capture);
      case ComputeMessage.RefreshName refresh ->
          toOwner(placement.owner(refresh.branch()), refresh);
      case ComputeMessage.SuspendBranch suspend ->
          toOwner(placement.owner(suspend.branch()), suspend);
      case ComputeMessage.LookupRole lookup -> toOwner(placement.owner(lookup.branch()), lookup);
      case ComputeMessage.LookupLogin lookup -> toOwner(placement.owner(lookup.branch()), lookup);
      case ComputeMessage.DescribeDamage describe ->
          toOwner(placement.owner(describe.branch()), describe);
      case ComputeMessage.AddReplicas add -> toOwner(keeper.leader(), add);
      case ComputeMessage.RemoveReplicas remove -> toOwner(keeper.leader(), remove);
      case ComputeMessage.ReviewReplicas review -> toOwner(keeper.leader(), review);
      case ComputeMessage.DescribeHosts _ ->
          Future.succeededFuture(new ComputeMessage.HostsDescribed(placement.hosts()));
      default -> here(message);
    };
  }

  private HostId hostFor(BranchId branch) {
    return placement
        .hostFor(branch)
        .orElseThrow(() ->
            new EbbException.Exhausted(
                "no host has room for another compute: suspend one, add memory or add a host"));
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
      case ComputeMessage.ConnectBranch connect ->
          task(() -> host.wake(connect.branch(), connect.calledAs()));
      case ComputeMessage.CaptureBranch capture -> done(() -> host.capture(capture.branch()));
      case ComputeMessage.RefreshName refresh ->
          done(() -> {
            host.refreshName(refresh.branch());
            replicas.refreshName(refresh.branch());
          });
      case ComputeMessage.SuspendBranch suspend ->
          task(() -> host.suspend(suspend.branch(), suspend.onlyIfIdleMs()));
      case ComputeMessage.LookupRole lookup ->
          task(() -> host.role(lookup.branch(), lookup.role()));
      case ComputeMessage.LookupLogin lookup ->
          task(() -> host.login(lookup.branch(), lookup.role(), lookup.database()));
      case ComputeMessage.DescribeDamage describe ->
          task(() -> new ComputeMessage.Damages(host.damages(describe.branch())));
      case ComputeMessage.DiscardBranch discard -> done(() -> host.discard(discard.branch()));
      case ComputeMessage.CreateDatabase create -> task(() -> provision.databases().create(create));
      case ComputeMessage.CreateDatabaseOf create ->
          task(() -> provision.databases().create(create));
      case ComputeMessage.DropDatabase drop ->
          done(() -> provision.databases().drop(drop.name(), false));
      case ComputeMessage.DropProtectedDatabase drop ->
          done(() -> provision.databases().drop(drop.name(), true));
      case ComputeMessage.StartReplica start -> task(() -> replicas.start(start.branch()));
      case ComputeMessage.StopReplica stop -> done(() -> replicas.stop(stop.replica()));
      case ComputeMessage.AddReplicas add -> task(() -> keeper.add(add));
      case ComputeMessage.RemoveReplicas remove -> task(() -> keeper.remove(remove));
      case ComputeMessage.ReviewReplicas review -> done(() -> keeper.review(review.database()));
      default -> branches(message);
    };
  }

  private Future<? extends BusMessage> branches(BusMessage message) {
    BranchProvisioner branches = provision.branches();
    return switch (message) {
      case ComputeMessage.CreateBranch create -> task(() -> branches.create(create));
      case ComputeMessage.DropBranch drop -> done(() -> branches.drop(drop));
      case ComputeMessage.RenameBranch rename -> done(() -> branches.rename(rename));
      case ComputeMessage.ResetBranch reset -> task(() -> branches.reset(reset));
      case ComputeMessage.RestoreBranch restore -> task(() -> branches.restore(restore));
      case ComputeMessage.ProtectBranch protect -> done(() -> branches.protect(protect));
      case ComputeMessage.DescribeBranches describe -> task(() -> branches.describe(describe));
      default ->
          Future.failedFuture(
              new EbbException.Invalid(
                  message.getClass().getSimpleName() + " is not for a compute host"));
    };
  }

  private Future<Ok> done(Runnable work) {
    return task(() -> {
      work.run();
      return new Ok();
    });
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
