package dev.ebb.shared.catalog;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

final class BranchTreeTest {
  private static final BranchId MAIN = new BranchId("m");
  private static final BranchId DEV = new BranchId("d");
  private static final BranchId FIX = new BranchId("f");
  private static final BranchId NEW = new BranchId("n");

  /** main, dev of main at 100, fix of dev at 200. */
  private final BranchTree tree =
      new BranchTree("shop", Map.of("main", BranchRecord.first(MAIN, 1)))
          .add("dev", BranchRecord.creating(DEV, MAIN, 2))
          .ready("dev", DEV, new Lsn(100))
          .add("fix", BranchRecord.creating(FIX, DEV, 3))
          .ready("fix", FIX, new Lsn(200));

  private static void assertConflict(ThrowingCallable change, String... says) {
    assertThatThrownBy(change)
        .isInstanceOf(EbbException.Conflict.class)
        .hasMessageContainingAll(says);
  }

  @Test
  void childIsUsableOnceItIsReady() {
    BranchTree making = tree.add("new", BranchRecord.creating(NEW, MAIN, 4));

    assertConflict(() -> making.requireReady("new"), "shop@new is still being created");
    assertThat(making.ready("new", NEW, new Lsn(7)).requireReady("new").forkLsn())
        .isEqualTo(new Lsn(7));
    assertThat(making.add("new", BranchRecord.creating(NEW, MAIN, 4))).isEqualTo(making);
  }

  @Test
  void takenOrImpossibleNameIsRefused() {
    assertConflict(
        () -> tree.add("dev", BranchRecord.creating(NEW, MAIN, 4)), "shop@dev exists already");
    assertThatThrownBy(() -> tree.add("Dev", BranchRecord.creating(NEW, MAIN, 4)))
        .isInstanceOf(EbbException.Invalid.class);
    assertThatThrownBy(() -> tree.require("nix"))
        .isInstanceOf(EbbException.NotFound.class)
        .hasMessage("database \"shop\" has no branch \"nix\"");
    assertConflict(() -> tree.rename("fix", FIX, "dev"), "exists already");
  }

  @Test
  void childOfABranchThatIsBeingDroppedIsRefused() {
    BranchTree dropping = tree.dropping("fix", FIX, false);

    assertConflict(() -> dropping.add("new", BranchRecord.creating(NEW, FIX, 4)), "being dropped");
    assertThatThrownBy(
            () -> dropping.remove("fix", FIX).add("new", BranchRecord.creating(NEW, FIX, 4)))
        .isInstanceOf(EbbException.Conflict.class);
  }

  @Test
  void branchWithChildrenIsNotDroppedByAccident() {
    assertConflict(() -> tree.dropping("dev", DEV, false), "has children: shop@fix");

    BranchTree without = tree.dropping("dev", DEV, true).remove("dev", DEV);
    assertThat(without.require("fix").parent()).isEqualTo(MAIN);
    assertThat(without.require("fix").forkLsn()).isEqualTo(new Lsn(100));
    assertThat(without.remove("dev", DEV)).isEqualTo(without);
  }

  @Test
  void mainAndProtectedBranchesAreNotDropped() {
    assertConflict(
        () -> tree.dropping("main", MAIN, true), "cannot be dropped", "drop the database");
    BranchTree guarded = tree.protect("fix", true);
    assertConflict(() -> guarded.dropping("fix", FIX, true), "is protected", "unprotect shop@fix");
    assertConflict(() -> guarded.requireResettable("fix"), "is protected");
    guarded.protect("fix", false).dropping("fix", FIX, false);
  }

  @Test
  void anotherBranchOfTheNameIsNotTouched() {
    assertConflict(() -> tree.dropping("dev", NEW, true), "another branch by now");
    assertConflict(() -> tree.rename("dev", NEW, "x"), "another branch by now");
    assertThat(tree.remove("dev", NEW)).isEqualTo(tree);
  }

  @Test
  void renamedBranchKeepsItsChildren() {
    BranchTree renamed = tree.rename("dev", DEV, "stage");

    assertThat(renamed.childrenOf(DEV)).containsExactly("fix");
    assertThat(renamed.nameOf(DEV)).contains("stage");
    assertThat(renamed.rename("dev", DEV, "stage")).isEqualTo(renamed);
    assertConflict(() -> tree.rename("main", MAIN, "old"), "cannot be renamed");
  }

  @Test
  void branchWhoseOldestAncestorIsDroppedStillBeginsWhereItWasMade() {
    BranchTree restored =
        tree.add("tmp", BranchRecord.creating(NEW, MAIN, 4))
            .ready("tmp", NEW, new Lsn(50))
            .replace("main", MAIN, "tmp", NEW, "main-before", false);

    BranchTree alone = restored.dropping("main-before", MAIN, true).remove("main-before", MAIN);

    assertThat(alone.require("main").parent()).isNull();
    assertThat(alone.require("main").forkLsn()).isEqualTo(new Lsn(50));
  }

  @Test
  void replacementTakesTheNameInOneStepAndTheOldOneIsKept() {
    BranchTree made =
        tree.protect("main", true)
            .add("tmp", BranchRecord.creating(NEW, MAIN, 4))
            .ready("tmp", NEW, new Lsn(50));

    BranchTree restored = made.replace("main", MAIN, "tmp", NEW, "main-before", false);

    assertThat(restored.require("main").id()).isEqualTo(NEW);
    assertThat(restored.require("main").isProtected()).isTrue();
    assertThat(restored.requireReady("main-before").id()).isEqualTo(MAIN);
    assertThat(restored.branches()).doesNotContainKey("tmp");
    assertThat(restored.childrenOf(MAIN)).containsExactly("dev", "main");
    assertThat(restored.replace("main", MAIN, "tmp", NEW, "main-before", false))
        .as("repeated")
        .isEqualTo(restored);
  }

  @Test
  void replicasGoWithTheName() {
    BranchTree made =
        tree.replicas("main", MAIN, 2)
            .add("tmp", BranchRecord.creating(NEW, MAIN, 4))
            .ready("tmp", NEW, new Lsn(50));

    BranchTree restored = made.replace("main", MAIN, "tmp", NEW, "main-before", false);

    assertThat(restored.require("main").replicas()).isEqualTo(2);
    assertThat(restored.require("main-before").replicas()).isZero();
    assertThat(tree.replicas("dev", DEV, 1).rename("dev", DEV, "work").require("work").replicas())
        .isEqualTo(1);
    assertThat(tree.replicas("fix", FIX, 3).dropping("fix", FIX, false).require("fix").replicas())
        .isZero();
  }

  @Test
  void numberOfReplicasIsBounded() {
    assertThatThrownBy(() -> tree.replicas("main", MAIN, BranchRecord.MAX_REPLICAS + 1))
        .isInstanceOf(EbbException.Invalid.class);
    assertThatThrownBy(() -> tree.replicas("main", MAIN, -1))
        .isInstanceOf(EbbException.Invalid.class);
    assertConflict(() -> tree.replicas("main", DEV, 1), "another branch by now");
  }

  @Test
  void replacedBranchThatIsDroppedMayHaveNoChildren() {
    BranchTree made =
        tree.add("tmp", BranchRecord.creating(NEW, MAIN, 4)).ready("tmp", NEW, new Lsn(150));

    assertConflict(
        () -> made.replace("dev", DEV, "tmp", NEW, "dev-before", true), "has children: shop@fix");
    BranchTree childless = made.dropping("fix", FIX, false).remove("fix", FIX);
    BranchTree reset = childless.replace("dev", DEV, "tmp", NEW, "dev-before", true);
    assertThat(reset.require("dev-before").state()).isEqualTo(BranchRecord.State.DROPPING);
    assertThat(reset.requireReady("dev").parent()).isEqualTo(MAIN);
  }

  @Test
  void firstBranchHasNothingToBeResetTo() {
    assertThatThrownBy(() -> tree.requireResettable("main"))
        .isInstanceOf(EbbException.Invalid.class)
        .hasMessageContaining("no parent");
  }
}
