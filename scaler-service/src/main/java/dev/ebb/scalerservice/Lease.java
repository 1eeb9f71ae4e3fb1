package dev.ebb.scalerservice;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.shareddata.AsyncMap;
import java.util.UUID;

/**
 * Says which of several scalers acts: the one whose name is in a shared map, where an entry lives
 * for {@link #TTL_MS} unless it is renewed. Advisory: for a moment two may hold it (a paused
 * process, a divided cluster), which does no harm, for a suspend is asked of a compute that checks
 * again and is idempotent.
 */
final class Lease {
  /** After the death of the active scaler another one takes over within this time and a tick. */
  static final long TTL_MS = 5_000;

  private static final String MAP = "ebb.scaler";
  private static final String KEY = "active";

  private final Vertx vertx;
  private final String self = UUID.randomUUID().toString();

  Lease(Vertx vertx) {
    this.vertx = vertx;
  }

  /** Takes or renews the lease; true where this scaler is the active one. */
  Future<Boolean> hold() {
    return map()
        .compose(map ->
            map.putIfAbsent(KEY, self, TTL_MS)
                .compose(holder -> {
                  if (holder == null) {
                    return Future.succeededFuture(true);
                  }
                  return holder.equals(self)
                      ? map.put(KEY, self, TTL_MS).map(true)
                      : Future.succeededFuture(false);
                }));
  }

  /** Lets another scaler take over at once. */
  Future<Void> release() {
    return map().compose(map -> map.removeIfPresent(KEY, self)).mapEmpty();
  }

  private Future<AsyncMap<String, String>> map() {
    return vertx.sharedData().getAsyncMap(MAP);
  }
}
