package dev.ebb.gateway.pool;

import dev.ebb.gateway.protocol.ErrorFrame;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A simple query of the gateway's own on a connection that clients share. */
final class OwnQuery {
  private final Consumer<List<@Nullable String>> rows;
  private final Consumer<@Nullable ErrorFrame> done;
  private @Nullable ErrorFrame error;
  private boolean begun;

  /**
   * @param rows takes each row, with a character for each byte
   * @param done is told once the connection is ready again, with the first error if there was one
   */
  OwnQuery(Consumer<List<@Nullable String>> rows, Consumer<@Nullable ErrorFrame> done) {
    this.rows = rows;
    this.done = done;
  }

  /** The first of the answer is there. */
  void begins() {
    begun = true;
  }

  boolean hasBegun() {
    return begun;
  }

  void row(List<@Nullable String> columns) {
    rows.accept(columns);
  }

  void failed(ErrorFrame frame) {
    if (error == null) {
      error = frame;
    }
  }

  void ready() {
    done.accept(error);
  }
}
