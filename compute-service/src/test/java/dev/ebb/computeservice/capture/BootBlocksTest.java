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

  @Test
  void neighbouringBlocksBecomeOneRun() {
    assertThat(
            BootBlocks.choose(
                List.of(), List.of(), List.of(run(1259, 2, 1), run(1259, 0, 1), run(1259, 1, 1))))
        .containsExactly(run(1259, 0, 3));
  }

  @Test
  void blocksOfUsersTablesAreLeftOut() {
    assertThat(BootBlocks.choose(List.of(), List.of(), List.of(run(16384, 0, 1), run(16383, 0, 1))))
        .containsExactly(run(16383, 0, 1));
  }

  @Test
  void knownBlocksComeBeforeDemandedOnesAndTheNumberIsBounded() {
    var demanded = new ArrayList<BlockRun>();
    for (int block = 0; block < 1_000; block++) {
      demanded.add(run(1249, block, 1));
    }
    List<BlockRun> chosen = BootBlocks.choose(List.of(), List.of(run(2000, 0, 100)), demanded);
    assertThat(chosen).contains(run(2000, 0, 100));
    assertThat(chosen.stream().mapToInt(BlockRun::count).sum()).isEqualTo(BootBlocks.MAX_BLOCKS);
  }

  @Test
  void noRunIsLongerThanAMessage() {
    var known = List.of(run(1259, 0, 100), run(1259, 100, 90));
    assertThat(BootBlocks.choose(List.of(), known, List.of()))
        .allMatch(r -> r.count() <= 128)
        .hasSize(2);
  }

  @Test
  void whatAStartNeedsComesBesideTheBoundAndReplacesWhatWasNeededBefore() {
    var before = new BlockRun(new FileKey(Kind.XACT, 0, 0, 0, 0), 3, 1);
    var now = new BlockRun(new FileKey(Kind.XACT, 0, 0, 0, 0), 4, 1);
    assertThat(BootBlocks.choose(List.of(now), List.of(before, run(1249, 0, 128)), List.of()))
        .contains(now)
        .doesNotContain(before)
        .hasSizeGreaterThan(1);
  }

  @Test
  void blocksOfTheMaintenanceDatabaseAreLeftOut() {
    var maintenance = new BlockRun(new FileKey(Kind.RELATION, 5, 1259, 0, 0), 0, 1);
    assertThat(BootBlocks.choose(List.of(), List.of(), List.of(maintenance))).isEmpty();
  }
}
