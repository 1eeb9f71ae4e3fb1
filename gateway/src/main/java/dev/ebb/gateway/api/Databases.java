package dev.ebb.gateway.api;

import dev.ebb.gateway.auth.LoginRules;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.ComputeMessage.ComputeReady;
import dev.ebb.shared.bus.ComputeMessage.CreateDatabase;
import dev.ebb.shared.bus.ComputeMessage.CreateDatabaseOf;
import dev.ebb.shared.bus.ComputeMessage.DropDatabase;
import dev.ebb.shared.bus.ComputeMessage.DropProtectedDatabase;
import dev.ebb.shared.bus.ComputeMessage.SuspendBranch;
import dev.ebb.shared.bus.ComputeMessage.Suspended;
import dev.ebb.shared.bus.ComputeMessage.WakeBranch;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Cidr;
import dev.ebb.shared.model.PostgresMajor;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.scram.ScramVerifier;
import io.vertx.core.Future;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What the API does, apart from HTTP. */
final class Databases {
  private static final long CREATE_TIMEOUT_MS = 120_000;
  private static final long DROP_TIMEOUT_MS = 120_000;
  private static final long WAKE_TIMEOUT_MS = 60_000;
  private static final long SUSPEND_TIMEOUT_MS = 300_000;

  private final Catalog catalog;
  private final Bus bus;
  private final OffLoop offLoop;

  Databases(Catalog catalog, Bus bus, OffLoop offLoop) {
    this.catalog = catalog;
    this.bus = bus;
    this.offLoop = offLoop;
  }

  Future<List<DatabaseRecord>> list() {
    return offLoop.call(catalog::list);
  }

  Future<DatabaseRecord> get(String name) {
    return offLoop.call(() -> catalog.find(name).orElseThrow(() -> unknown(name)));
  }

  /**
   * Makes one.
   *
   * @param postgres its major version; null for the default of whoever makes it
   */
  Future<DatabaseRecord> create(
      String name, String owner, Secret password, @Nullable PostgresMajor postgres) {
    if (LoginRules.isReserved(owner)) {
      return Future.failedFuture(
          new EbbException.Invalid(
              "the owner \"" + owner + "\" is a reserved name: choose one without ebb_ or pg_"));
    }
    return offLoop
        .call(() -> ScramVerifier.of(password).stored())
        .compose(verifier ->
            postgres == null
                ? bus.request(
                    Addresses.COMPUTE, new CreateDatabase(name, owner, verifier), CREATE_TIMEOUT_MS)
                : bus.request(
                    Addresses.COMPUTE,
                    new CreateDatabaseOf(postgres, name, owner, verifier),
                    CREATE_TIMEOUT_MS))
        .compose(created -> get(name));
  }

  Future<Void> drop(String name, boolean force) {
    return force
        ? bus.request(Addresses.COMPUTE, new DropProtectedDatabase(name), DROP_TIMEOUT_MS)
            .mapEmpty()
        : bus.request(Addresses.COMPUTE, new DropDatabase(name), DROP_TIMEOUT_MS).mapEmpty();
  }

  /**
   * Says where its clients may come from.
   *
   * @param addresses none: from everywhere
   */
  Future<DatabaseRecord> allow(String name, List<String> addresses) {
    return offLoop.call(() -> {
      try {
        return catalog.allow(name, addresses.stream().map(Cidr::parse).distinct().toList());
      } catch (IllegalArgumentException e) {
        throw new EbbException.Invalid(String.valueOf(e.getMessage()));
      }
    });
  }

  Future<Suspended> suspend(String name, String branch) {
    return branch(name, branch)
        .compose(
            id -> bus.request(Addresses.COMPUTE, new SuspendBranch(id, 0), SUSPEND_TIMEOUT_MS));
  }

  Future<ComputeReady> wake(String name, String branch) {
    return branch(name, branch)
        .compose(id -> bus.request(Addresses.COMPUTE, new WakeBranch(id), WAKE_TIMEOUT_MS));
  }

  private Future<BranchId> branch(String name, String branch) {
    return get(name).map(database -> database.tree().requireReady(branch).id());
  }

  private static EbbException unknown(String name) {
    return new EbbException.NotFound("database \"" + name + "\" does not exist");
  }
}
