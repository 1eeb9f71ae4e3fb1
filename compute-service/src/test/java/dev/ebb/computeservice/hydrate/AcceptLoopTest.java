package dev.ebb.computeservice.hydrate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(10)
final class AcceptLoopTest {
  private static final String EMFILE = "Too many open files";

  /** What accepting does, in order: a connection, or a failure; then it is closed. */
  private final Deque<String> script = new ArrayDeque<>();

  private final List<String> served = new ArrayList<>();
  private final List<Long> pauses = new ArrayList<>();

  private String accept() throws IOException {
    String next = script.poll();
    if (next == null) {
      throw new ClosedChannelException();
    }
    if (next.equals(EMFILE)) {
      throw new IOException(next);
    }
    return next;
  }

  private void run() {
    new AcceptLoop<>("/a/socket", this::accept, served::add, pauses::add).run();
  }

  @AfterEach
  void forgetInterrupt() {
    Thread.interrupted();
  }

  @Test
  void connectionsAreServedInOrderWithoutPauses() {
    script.addAll(List.of("a", "b"));
    run();
    assertThat(served).containsExactly("a", "b");
    assertThat(pauses).isEmpty();
  }

  @Test
  void failuresArePausedAfterEverLongerUpToABound() {
    for (int i = 0; i < 20; i++) {
      script.add(EMFILE);
    }
    script.add("a");
    run();
    assertThat(served).containsExactly("a");
    assertThat(pauses).hasSize(20).isSorted();
    assertThat(pauses.getFirst()).isEqualTo(AcceptLoop.FIRST_PAUSE_MS);
    assertThat(pauses.getLast()).isEqualTo(AcceptLoop.MAX_PAUSE_MS);
  }

  @Test
  void pausesBeginAnewOnceAConnectionWasAccepted() {
    script.addAll(List.of(EMFILE, EMFILE, "a", EMFILE, "b"));
    run();
    assertThat(served).containsExactly("a", "b");
    assertThat(pauses)
        .containsExactly(
            AcceptLoop.FIRST_PAUSE_MS, 2 * AcceptLoop.FIRST_PAUSE_MS, AcceptLoop.FIRST_PAUSE_MS);
  }

  @Test
  void interruptDuringAPauseEndsIt() {
    script.addAll(List.of(EMFILE, "a"));
    new AcceptLoop<>(
            "/a/socket",
            this::accept,
            served::add,
            ms -> {
              throw new InterruptedException();
            })
        .run();
    assertThat(served).isEmpty();
    assertThat(Thread.currentThread().isInterrupted()).isTrue();
  }
}
