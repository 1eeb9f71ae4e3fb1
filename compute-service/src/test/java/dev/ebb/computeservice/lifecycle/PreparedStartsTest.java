package dev.ebb.computeservice.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.model.BranchId;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class PreparedStartsTest {
  private static final BranchId A = BranchId.random();
  private static final BranchId B = BranchId.random();
  private static final BranchId C = BranchId.random();

  private final List<String> deleted = Collections.synchronizedList(new ArrayList<>());

  private final class Start implements PreparedStarts.Laid {
    private final String name;
    private final CompletableFuture<Void> gone = new CompletableFuture<>();

    Start(String name) {
      this.name = name;
    }

    @Override
    public void delete() {
      deleted.add(name);
      gone.complete(null);
    }

    void awaitDeleted() throws Exception {
      gone.get(10, TimeUnit.SECONDS);
    }
  }

  private Start prepared(PreparedStarts<Start> starts, BranchId branch, String name) {
    var start = new Start(name);
    starts.prepare(branch, () -> start);
    return start;
  }

  @Test
  void startIsTakenOnceAndBelongsToWhoeverTookIt() {
    var starts = new PreparedStarts<Start>(2);
    Start a = prepared(starts, A, "a");
    assertThat(starts.take(A)).isSameAs(a);
    assertThat(starts.take(A)).isNull();
    starts.close();
    assertThat(deleted).isEmpty();
  }

  @Test
  void takingWaitsForAStartThatIsBeingLaidOut() throws Exception {
    var starts = new PreparedStarts<Start>(2);
    var laying = new CountDownLatch(1);
    var finish = new CountDownLatch(1);
    var a = new Start("a");
    starts.prepare(
        A,
        () -> {
          laying.countDown();
          try {
            finish.await();
          } catch (InterruptedException e) {
            throw new IllegalStateException(e);
          }
          return a;
        });
    laying.await();
    var taken = CompletableFuture.supplyAsync(() -> starts.take(A));
    assertThat(taken).isNotDone();
    finish.countDown();
    assertThat(taken.get(10, TimeUnit.SECONDS)).isSameAs(a);
  }

  @Test
  void moreThanFitMakesTheOldestGo() throws Exception {
    var starts = new PreparedStarts<Start>(2);
    Start a = prepared(starts, A, "a");
    Start b = prepared(starts, B, "b");
    Start c = prepared(starts, C, "c");
    a.awaitDeleted();
    assertThat(starts.take(A)).isNull();
    assertThat(starts.take(B)).isSameAs(b);
    assertThat(starts.take(C)).isSameAs(c);
    assertThat(deleted).containsExactly("a");
  }

  @Test
  void newStartOfABranchReplacesTheEarlierOne() throws Exception {
    var starts = new PreparedStarts<Start>(2);
    Start first = prepared(starts, A, "first");
    Start second = prepared(starts, A, "second");
    first.awaitDeleted();
    assertThat(starts.take(A)).isSameAs(second);
  }

  @Test
  void startThatCannotBeLaidOutIsNone() {
    var starts = new PreparedStarts<Start>(2);
    starts.prepare(
        A,
        () -> {
          throw new IllegalStateException("the disk is full");
        });
    assertThat(starts.take(A)).isNull();
    starts.prepare(B, () -> null);
    assertThat(starts.take(B)).isNull();
    starts.close();
  }

  @Test
  void forgottenAndClosedOnesAreDeleted() throws Exception {
    var starts = new PreparedStarts<Start>(2);
    Start a = prepared(starts, A, "a");
    starts.forget(A);
    a.awaitDeleted();
    starts.forget(C);
    var _ = prepared(starts, B, "b");
    starts.close();
    assertThat(deleted).containsExactly("a", "b");
    starts.prepare(
        C,
        () -> {
          throw new AssertionError("nothing is prepared any more");
        });
    assertThat(starts.take(C)).isNull();
  }

  @Test
  void withoutRoomNothingIsPrepared() {
    var starts = new PreparedStarts<Start>(0);
    starts.prepare(
        A,
        () -> {
          throw new AssertionError("there is no room");
        });
    assertThat(starts.take(A)).isNull();
  }
}
