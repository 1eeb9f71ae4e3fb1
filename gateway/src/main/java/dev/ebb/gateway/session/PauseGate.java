package dev.ebb.gateway.session;

import dev.ebb.gateway.protocol.SqlState;
import dev.ebb.shared.model.BranchAddress;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import java.util.concurrent.TimeUnit;

/** Where clients that would get a connection of their own wait while their branch is paused. */
final class PauseGate {
  private static final long LOOK_AGAIN_MS = 50;

  private PauseGate() {}

  /**
   * Completes as soon as the branch is not paused, and fails where that takes longer than a wake
   * may.
   */
  static Future<Void> open(SessionServices services, BranchAddress address) {
    String name = address.toString();
    if (!services.pauses().isPaused(name)) {
      return Future.succeededFuture();
    }
    Promise<Void> opened = Promise.promise();
    long deadlineNanos =
        System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(services.limits().wakeTimeoutMs());
    services
        .vertx()
        .setPeriodic(
            LOOK_AGAIN_MS,
            timer -> {
              if (!services.pauses().isPaused(name)) {
                services.vertx().cancelTimer(timer);
                opened.tryComplete();
              } else if (System.nanoTime() - deadlineNanos > 0) {
                services.vertx().cancelTimer(timer);
                opened.tryFail(
                    new Refusal(
                        SqlState.CANNOT_CONNECT_NOW,
                        "the database is paused by an administrator: try again later"));
              }
            });
    return opened.future();
  }
}
