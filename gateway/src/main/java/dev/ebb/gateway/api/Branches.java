package dev.ebb.gateway.api;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.ComputeMessage.BranchReplaced;
import dev.ebb.shared.bus.ComputeMessage.BranchesDescribed;
import dev.ebb.shared.bus.ComputeMessage.CreateBranch;
import dev.ebb.shared.bus.ComputeMessage.DescribeBranches;
import dev.ebb.shared.bus.ComputeMessage.DropBranch;
import dev.ebb.shared.bus.ComputeMessage.ProtectBranch;
import dev.ebb.shared.bus.ComputeMessage.RenameBranch;
import dev.ebb.shared.bus.ComputeMessage.ResetBranch;
import dev.ebb.shared.bus.ComputeMessage.RestoreBranch;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchPoint;
import dev.ebb.shared.model.Names;
import io.vertx.core.Future;
import io.vertx.core.json.JsonObject;
import java.time.Clock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** What the API does with branches, apart from HTTP. */
final class Branches {
  private static final long SHORT_TIMEOUT_MS = 120_000;

  /** Copying WAL and suspending what is replaced. */
  private static final long LONG_TIMEOUT_MS = 600_000;

  private final Bus bus;
  private final Clock clock;

  Branches(Bus bus, Clock clock) {
    this.bus = bus;
    this.clock = clock;
  }

  /** Makes one; completes with its name. */
  Future<String> create(String database, @Nullable JsonObject body) {
    return checked(() -> {
      JsonObject asked = body == null ? new JsonObject() : body;
      String name = name(asked, "name", null);
      String from = name(asked, "from", BranchAddress.MAIN);
      BranchPoint at = asked.getValue("at") == null ? null : point(asked);
      return bus.request(
              Addresses.COMPUTE, new CreateBranch(database, name, from, at), LONG_TIMEOUT_MS)
          .map(created -> name);
    });
  }

  Future<Void> drop(String database, String branch, boolean force) {
    return bus.request(Addresses.COMPUTE, new DropBranch(database, branch, force), SHORT_TIMEOUT_MS)
        .mapEmpty();
  }

  /** Completes with the new name. */
  Future<String> rename(String database, String branch, @Nullable JsonObject body) {
    return checked(() -> {
      String to = name(body == null ? new JsonObject() : body, "name", null);
      return bus.request(
              Addresses.COMPUTE, new RenameBranch(database, branch, to), SHORT_TIMEOUT_MS)
          .map(renamed -> to);
    });
  }

  Future<Void> protect(String database, String branch, boolean isProtected) {
    return bus.request(
            Addresses.COMPUTE, new ProtectBranch(database, branch, isProtected), SHORT_TIMEOUT_MS)
        .mapEmpty();
  }

  Future<BranchReplaced> reset(String database, String branch) {
    return bus.request(Addresses.COMPUTE, new ResetBranch(database, branch), LONG_TIMEOUT_MS);
  }

  Future<BranchReplaced> restore(String database, String branch, @Nullable JsonObject body) {
    return checked(() ->
        bus.request(
            Addresses.COMPUTE,
            new RestoreBranch(database, branch, point(body == null ? new JsonObject() : body)),
            LONG_TIMEOUT_MS));
  }

  Future<BranchesDescribed> describe(String database) {
    return bus.request(Addresses.COMPUTE, new DescribeBranches(database), SHORT_TIMEOUT_MS);
  }

  private static <T> Future<T> checked(Supplier<Future<T>> action) {
    try {
      return action.get();
    } catch (EbbException e) {
      return Future.failedFuture(e);
    }
  }

  private static String name(JsonObject body, String property, @Nullable String otherwise) {
    Object value = body.getValue(property);
    if (value == null && otherwise != null) {
      return otherwise;
    }
    if (!(value instanceof String text)) {
      throw new EbbException.Invalid("the property \"" + property + "\" is missing or no text");
    }
    try {
      return Names.requireName("branch", text);
    } catch (IllegalArgumentException e) {
      throw new EbbException.Invalid(String.valueOf(e.getMessage()));
    }
  }

  private BranchPoint point(JsonObject body) {
    if (!(body.getValue("at") instanceof String text)) {
      throw new EbbException.Invalid("the property \"at\" is missing or no text");
    }
    try {
      return BranchPoint.parse(text, clock.instant());
    } catch (IllegalArgumentException e) {
      throw new EbbException.Invalid(String.valueOf(e.getMessage()));
    }
  }
}
