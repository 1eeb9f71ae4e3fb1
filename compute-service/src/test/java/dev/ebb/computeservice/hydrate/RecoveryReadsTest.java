package dev.ebb.computeservice.hydrate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.computeservice.postgres.RelationRecords;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.FileKey.Kind;
import dev.ebb.shared.page.Manifest.BlockRun;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;

class RecoveryReadsTest {
  private static final FileKey TABLE = new FileKey(Kind.RELATION, 5, 16384, 0, 0);

  private final RelationRecords wal = new RelationRecords();
  private final List<BlockRun> fetched = new CopyOnWriteArrayList<>();

  private void run(int maxBlocks) throws IOException {
    new RecoveryReads(fetched::add, maxBlocks).run(wal.stream(), wal.end());
  }

  private static BlockRun run(int first, int count) {
    return new BlockRun(TABLE, first, count);
  }

  @Test
  void eachBlockIsFetchedOnceAndNeighboursTogether() throws IOException {
    for (int block : new int[] {7, 3, 100, 4, 3, 6, 7}) {
      wal.change(5, 16384, block);
    }
    run(1_000);
    assertThat(fetched).containsExactlyInAnyOrder(run(3, 5), run(100, 1));
  }

  @Test
  void blockThatComesWithAnImageOrIsMadeAnewIsNotFetched() throws IOException {
    wal.initialise(5, 16384, 1);
    wal.change(5, 16384, 1);
    wal.image(5, 16384, 20);
    wal.change(5, 16384, 20);
    wal.change(5, 16384, 40);
    run(1_000);
    assertThat(fetched).containsExactly(run(40, 1));
  }

  @Test
  void blocksOfLaterSegmentsAreFetchedFromTheirOwnFiles() throws IOException {
    wal.change(5, 16384, FileKey.BLOCKS_PER_SEGMENT + 9);
    run(1_000);
    assertThat(fetched)
        .containsExactly(new BlockRun(new FileKey(Kind.RELATION, 5, 16384, 0, 1), 9, 1));
  }

  @Test
  void noMoreThanTheBoundAreFetched() throws IOException {
    for (int block = 0; block < 900; block++) {
      wal.change(5, 16384, block * 10);
    }
    run(500);
    assertThat(fetched).hasSize(500);
  }

  @Test
  void whatCannotBeReadEndsItQuietly() throws IOException {
    wal.change(5, 16384, 1);
    Lsn end = wal.end();
    new RecoveryReads(fetched::add, 100).run(wal.stream(), end.plus(4_000));
    assertThat(fetched).containsExactly(run(1, 1));
  }

  @Test
  void runsAreNoLongerThanARequest() {
    List<BlockRun> blocks = new ArrayList<>();
    for (int block = 0; block < 40; block++) {
      blocks.add(run(block, 1));
    }
    assertThat(RecoveryReads.runs(blocks)).containsExactly(run(0, 16), run(16, 16), run(32, 8));
  }
}
