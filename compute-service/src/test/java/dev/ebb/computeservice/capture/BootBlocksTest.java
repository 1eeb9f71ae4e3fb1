package dev.ebb.computeservice.capture;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.FileKey.Kind;
import dev.ebb.shared.page.Manifest.BlockRun;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BootBlocksTest {
  private static BlockRun run(int relation, int first, int count) {
    return new BlockRun(new FileKey(Kind.RELATION, 13507, relation, 0, 0), first, count);
  }

  /** As if all known ones had been used. */
  private static List<BlockRun> choose(
      List<BlockRun> required, List<BlockRun> known, List<BlockRun> demanded) {
    return BootBlocks.choose(required, known, _ -> true, demanded);
  }

  @Test
  void neighbouringBlocksBecomeOneRun() {
    assertThat(
            choose(
                List.of(), List.of(), List.of(run(1259, 2, 1), run(1259, 0, 1), run(1259, 1, 1))))
        .containsExactly(run(1259, 0, 3));
  }

  @Test
  void blocksOfUsersTablesAreLeftOut() {
    assertThat(choose(List.of(), List.of(), List.of(run(16384, 0, 1), run(16383, 0, 1))))
        .containsExactly(run(16383, 0, 1));
  }

  @Test
  void knownBlocksComeBeforeDemandedOnesAndTheNumberIsBounded() {
    var demanded = new ArrayList<BlockRun>();
    for (int block = 0; block < 1_000; block++) {
      demanded.add(run(1249, block, 1));
    }
    List<BlockRun> chosen = choose(List.of(), List.of(run(2000, 0, 100)), demanded);
    assertThat(chosen).contains(run(2000, 0, 100));
    assertThat(chosen.stream().mapToInt(BlockRun::count).sum()).isEqualTo(BootBlocks.MAX_BLOCKS);
  }

  @Test
  void demandedBlocksComeBeforeKnownOnesThatNobodyUsed() {
    List<BlockRun> chosen =
        BootBlocks.choose(
            List.of(),
            List.of(run(2000, 0, 100), run(2001, 0, 92)),
            block -> block.file().relation() == 2001,
            List.of(run(1249, 7, 3)));
    assertThat(chosen).contains(run(1249, 7, 3), run(2001, 0, 92), run(2000, 0, 97));
  }

  @Test
  void knownBlocksThatNobodyUsedStayWhereThereIsRoom() {
    assertThat(
            BootBlocks.choose(
                List.of(), List.of(run(2000, 0, 9)), _ -> false, List.of(run(1249, 0, 1))))
        .containsExactly(run(1249, 0, 1), run(2000, 0, 9));
  }

  @Test
  void whatWasDemandedFirstIsKept() {
    List<BlockRun> demanded = new ArrayList<>();
    for (int block = 1_000; block > 0; block--) {
      demanded.add(run(1249, block, 1));
    }
    assertThat(choose(List.of(), List.of(), demanded))
        .containsExactly(run(1249, 809, 128), run(1249, 937, 64));
  }

  @Test
  void noRunIsLongerThanAMessage() {
    var known = List.of(run(1259, 0, 100), run(1259, 100, 90));
    assertThat(choose(List.of(), known, List.of())).allMatch(r -> r.count() <= 128).hasSize(2);
  }

  @Test
  void whatAStartNeedsComesBesideTheBoundAndReplacesWhatWasNeededBefore() {
    var before = new BlockRun(new FileKey(Kind.XACT, 0, 0, 0, 0), 3, 1);
    var now = new BlockRun(new FileKey(Kind.XACT, 0, 0, 0, 0), 4, 1);
    assertThat(choose(List.of(now), List.of(before, run(1249, 0, 128)), List.of()))
        .contains(now)
        .doesNotContain(before)
        .hasSizeGreaterThan(1);
  }

  @Test
  void blocksOfTheMaintenanceDatabaseAreLeftOut() {
    var maintenance = new BlockRun(new FileKey(Kind.RELATION, 5, 1259, 0, 0), 0, 1);
    assertThat(choose(List.of(), List.of(), List.of(maintenance))).isEmpty();
  }
}
