package dev.ebb.gateway.relay;

import dev.ebb.gateway.protocol.ErrorFrame;
import io.vertx.core.Future;

/** Knows more about some errors than the backend that reports them. */
public interface ErrorDetails {
  /** Adds nothing. */
  ErrorDetails NONE =
      new ErrorDetails() {
        @Override
        public boolean concerns(ErrorFrame error) {
          return false;
        }

        @Override
        public Future<String> about(ErrorFrame error) {
          return Future.succeededFuture("");
        }
      };

  /** Whether to ask about this error at all; on the event loop. */
  boolean concerns(ErrorFrame error);

  /** What to add, in ASCII, or nothing; completes within a bounded time, on any thread. */
  Future<String> about(ErrorFrame error);
}
