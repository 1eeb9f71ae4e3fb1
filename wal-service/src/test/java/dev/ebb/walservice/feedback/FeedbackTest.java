package dev.ebb.walservice.feedback;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.WalMessage.StandbyFeedback;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.send.SenderStatus;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What becomes of what standbys say, at the instance that they say it to and at the others. */
final class FeedbackTest {
  private static final BranchId SHOP = new BranchId("shop");
  private static final BranchId OTHER = new BranchId("other");
  private static final long SECOND = Duration.ofSeconds(1).toNanos();
  private static final long SILENCE_MS = 60_000;

  /** Clocks of this kind may be negative, and wrap. */
  private static final long BEGAN = Long.MAX_VALUE - 5 * SECOND;

  private final FeedbackReports reports = new FeedbackReports("one", Duration.ofMillis(SILENCE_MS));
  private final FeedbackBoard board = new FeedbackBoard();

  private static SenderStatus sender(BranchId branch, long oldest, long heardMs) {
    return new SenderStatus(
        branch,
        branch + "@main",
        "127.0.0.1:1",
        "copy",
        Lsn.INVALID,
        Lsn.INVALID,
        Lsn.INVALID,
        Lsn.INVALID,
        Lsn.INVALID,
        0,
        oldest,
        heardMs);
  }

  private static StandbyFeedback says(BranchId branch, long oldest) {
    return new StandbyFeedback(branch, "one", oldest);
  }

  private static long xid(long epoch, long xid) {
    return epoch << 32 | xid;
  }

  private void hear(String instance, long oldest, long after) {
    board.accept(new StandbyFeedback(SHOP, instance, oldest), BEGAN + after);
  }

  @Test
  void oldestOfABranchIsSaidAcrossTheWrapOfTheEpoch() {
    long before = xid(3, 0xFFFF_FFF0L);
    var senders =
        List.of(
            sender(SHOP, xid(4, 7), 0),
            sender(SHOP, before, 0),
            sender(SHOP, 0, 0),
            sender(OTHER, xid(0, 900), 0));

    assertThat(reports.due(senders, BEGAN))
        .containsExactlyInAnyOrder(says(SHOP, before), says(OTHER, 900));
  }

  @Test
  void epochsOfTheUpperHalfAreLaterOnes() {
    long late = xid(0x8000_0000L, 5);
    var senders = List.of(sender(SHOP, late, 0), sender(SHOP, xid(0x7FFF_FFFFL, 9), 0));

    assertThat(reports.due(senders, BEGAN)).containsExactly(says(SHOP, xid(0x7FFF_FFFFL, 9)));
    hear("one", late, 0);
    assertThat(board.oldest(SHOP, BEGAN)).isEqualTo(late);
  }

  @Test
  void idsThatAreNoTransactionsDoNotCount() {
    var senders = List.of(sender(SHOP, xid(1, 2), 0), sender(SHOP, xid(1, 800), 0));

    assertThat(reports.due(senders, BEGAN)).containsExactly(says(SHOP, xid(1, 800)));
    hear("one", xid(5, 1), 0);
    assertThat(board.oldest(SHOP, BEGAN)).isZero();
  }

  @Test
  void sameIsSaidAgainOnlyAfterAWhileAndAChangeAtOnce() {
    var senders = List.of(sender(SHOP, 800, 0));
    long repeat = FeedbackReports.REPEAT.toNanos();
    assertThat(reports.due(senders, BEGAN)).hasSize(1);
    assertThat(reports.due(senders, BEGAN + repeat - 1)).isEmpty();
    assertThat(reports.due(senders, BEGAN + repeat)).containsExactly(says(SHOP, 800));

    assertThat(reports.due(List.of(sender(SHOP, 801, 0)), BEGAN + repeat + 1))
        .containsExactly(says(SHOP, 801));
  }

  @Test
  void thatNothingIsNeededAnyMoreIsSaidOnce() {
    reports.due(List.of(sender(SHOP, 800, 0)), BEGAN);

    assertThat(reports.due(List.of(), BEGAN + 1)).containsExactly(says(SHOP, 0));
    assertThat(reports.due(List.of(), BEGAN + 20 * SECOND)).isEmpty();
    // A standby that is there, and whose feedback was turned off.
    reports.due(List.of(sender(SHOP, 800, 0)), BEGAN + 21 * SECOND);
    assertThat(reports.due(List.of(sender(SHOP, 0, 0)), BEGAN + 22 * SECOND))
        .containsExactly(says(SHOP, 0));
  }

  @Test
  void standbyThatHasGoneSilentDoesNotCount() {
    var both = List.of(sender(SHOP, 800, SILENCE_MS), sender(SHOP, 900, 0));
    assertThat(reports.due(both, BEGAN)).containsExactly(says(SHOP, 800));

    var later = List.of(sender(SHOP, 800, SILENCE_MS + 1), sender(SHOP, 900, 0));
    assertThat(reports.due(later, BEGAN + 1)).containsExactly(says(SHOP, 900));
    assertThat(reports.due(List.of(sender(SHOP, 800, SILENCE_MS + 1)), BEGAN + 2))
        .containsExactly(says(SHOP, 0));
  }

  @Test
  void oldestOfAllInstancesCountsUntilTheyTakeItBack() {
    hear("one", 900, 0);
    hear("two", 800, 0);
    assertThat(board.oldest(SHOP, BEGAN)).isEqualTo(800);
    assertThat(board.oldest(OTHER, BEGAN)).isZero();
    hear("two", 1_000, 1);
    assertThat(board.oldest(SHOP, BEGAN + 1)).isEqualTo(900);
    hear("one", 0, 2);
    assertThat(board.oldest(SHOP, BEGAN + 2)).isEqualTo(1_000);
    hear("two", 0, 3);
    assertThat(board.oldest(SHOP, BEGAN + 3)).isZero();
    assertThat(board.branches()).isZero();
  }

  @Test
  void instanceThatSaysNothingMoreIsForgotten() {
    long forget = FeedbackBoard.FORGET_AFTER.toNanos();
    hear("killed", 800, 0);
    hear("alive", 900, SECOND);
    assertThat(board.oldest(SHOP, BEGAN + forget - 1)).isEqualTo(800);
    assertThat(board.oldest(SHOP, BEGAN + forget)).isEqualTo(900);
    assertThat(board.oldest(SHOP, BEGAN + forget + SECOND)).isZero();
    assertThat(board.branches()).isEqualTo(1);
    board.sweep(BEGAN + forget + SECOND);
    assertThat(board.branches()).isZero();
  }
}
