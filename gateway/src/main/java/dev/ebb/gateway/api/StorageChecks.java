package dev.ebb.gateway.api;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.PageMessage.CheckOpened;
import dev.ebb.shared.bus.PageMessage.CheckProgress;
import dev.ebb.shared.bus.PageMessage.CheckProgress.Finding;
import dev.ebb.shared.bus.PageMessage.CheckProgress.Kind;
import dev.ebb.shared.bus.PageMessage.CloseCheck;
import dev.ebb.shared.bus.PageMessage.OpenCheck;
import dev.ebb.shared.bus.PageMessage.StepCheck;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import io.vertx.core.Future;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Checks of what is stored. A check's name says which page service runs it, so that any gateway can
 * ask how far it is.
 */
final class StorageChecks {
  private static final long TIMEOUT_MS = 30_000;

  private final Databases databases;
  private final Bus bus;

  StorageChecks(Databases databases, Bus bus) {
    this.databases = databases;
    this.bus = bus;
  }

  /**
   * Begins one.
   *
   * @param database to check alone; null for all that is stored
   */
  Future<JsonObject> open(@Nullable String database) {
    Future<List<BranchId>> branches =
        database == null
            ? Future.succeededFuture(List.of())
            : databases.get(database).map(StorageChecks::branches);
    return branches
        .map(ids -> {
          if (database != null && ids.isEmpty()) {
            throw new EbbException.Conflict(
                "database \""
                    + database
                    + "\" has no branch that is ready: there is nothing to check");
          }
          return ids;
        })
        .compose(ids -> bus.request(Addresses.PAGE, new OpenCheck(ids), TIMEOUT_MS))
        .map(opened -> new JsonObject().put("id", nameOf(opened)));
  }

  /** Those that can be started: others may have nothing yet, or no more. */
  private static List<BranchId> branches(DatabaseRecord database) {
    return database.branches().values().stream()
        .filter(branch -> branch.state() == BranchRecord.State.READY)
        .map(BranchRecord::id)
        .toList();
  }

  private static String nameOf(CheckOpened opened) {
    return opened.address().substring(Addresses.PAGE.length() + 1) + "." + opened.check();
  }

  /** How far it is, and what it found since the last time. */
  Future<JsonObject> step(String id) {
    return bus.request(addressOf(id), new StepCheck(checkOf(id)), TIMEOUT_MS)
        .map(StorageChecks::json);
  }

  Future<Void> close(String id) {
    return bus.request(addressOf(id), new CloseCheck(checkOf(id)), TIMEOUT_MS).mapEmpty();
  }

  private static String addressOf(String id) {
    return Addresses.PAGE + "." + id.substring(0, dot(id));
  }

  private static String checkOf(String id) {
    return id.substring(dot(id) + 1);
  }

  private static int dot(String id) {
    int dot = id.indexOf('.');
    if (dot < 0) {
      throw new EbbException.NotFound("there is no check \"" + id + "\"");
    }
    return dot;
  }

  private static JsonObject json(CheckProgress progress) {
    return new JsonObject()
        .put("finished", progress.finished())
        .put("bytesDone", progress.bytesDone())
        .put("bytesTotal", progress.bytesTotal())
        .put("objects", progress.objects())
        .put("pages", progress.pages())
        .put("damaged", of(progress, Kind.DAMAGED))
        .put("missing", of(progress, Kind.MISSING))
        .put("orphans", of(progress, Kind.ORPHAN));
  }

  private static JsonArray of(CheckProgress progress, Kind kind) {
    var found = new JsonArray();
    for (Finding finding : progress.findings()) {
      if (finding.kind() == kind) {
        found.add(
            new JsonObject()
                .put("object", finding.object())
                .put("bytes", finding.bytes())
                .put("problem", finding.problem()));
      }
    }
    return found;
  }
}
