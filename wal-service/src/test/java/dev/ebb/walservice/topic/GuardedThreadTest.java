package dev.ebb.walservice.topic;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class GuardedThreadTest {
  private static GuardedThread running(Runnable task) {
    var thread = new GuardedThread("guarded", task);
    thread.start();
    return thread;
  }

  private static GuardedThread me() {
    return (GuardedThread) Thread.currentThread();
  }

  @Test
  void interruptWaitsUntilTheGuardIsLeft() throws Exception {
    var inside = new CountDownLatch(1);
    var interrupted = new CountDownLatch(1);
    var seen = new CompletableFuture<String>();
    GuardedThread thread =
        running(() -> {
          boolean[] within = {false};
          me().guard(() -> {
            inside.countDown();
            try {
              interrupted.await();
            } catch (InterruptedException e) {
              within[0] = true;
            }
          });
          seen.complete(within[0] + " " + Thread.interrupted());
        });
    inside.await();
    thread.interrupt();
    interrupted.countDown();
    assertThat(seen.get(10, TimeUnit.SECONDS)).isEqualTo("false true");
  }

  @Test
  void interruptFromBeforeTheGuardIsNotSeenInItAndNotLost() throws Exception {
    var seen = new CompletableFuture<String>();
    var _ =
        running(() -> {
          Thread.currentThread().interrupt();
          boolean[] within = {true};
          me().guard(() -> within[0] = Thread.currentThread().isInterrupted());
          seen.complete(within[0] + " " + Thread.interrupted());
        });
    assertThat(seen.get(10, TimeUnit.SECONDS)).isEqualTo("false true");
  }

  @Test
  void withoutGuardAnInterruptComesAtOnce() throws Exception {
    var ended = new CompletableFuture<Boolean>();
    var begun = new CountDownLatch(1);
    GuardedThread thread =
        running(() -> {
          begun.countDown();
          try {
            Thread.sleep(60_000);
            ended.complete(false);
          } catch (InterruptedException e) {
            ended.complete(true);
          }
        });
    begun.await();
    thread.interrupt();
    assertThat(ended.get(10, TimeUnit.SECONDS)).isTrue();
  }
}
