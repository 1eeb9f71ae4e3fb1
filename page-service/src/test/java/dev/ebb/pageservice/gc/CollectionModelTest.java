package dev.ebb.pageservice.gc;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Captures, compactions, forks, restores, drops and collections against each other, one store
 * operation at a time, with leaps of the clocks and deaths in between. The names of objects are
 * random, so that a seed replays nearly, not wholly, the same.
 */
final class CollectionModelTest {
  private static final int SEEDS = Integer.getInteger("ebb.gc.seeds", 30);
  private static final long FIRST_SEED = Long.getLong("ebb.gc.seed", 1);

  @Test
  void whatIsInUseIsThereAndNothingElseStays() {
    var sum = new CollectionModel.Counts();
    List<String> failures = new ArrayList<>();
    for (long seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      var model = new CollectionModel(seed);
      try {
        model.run();
      } catch (AssertionError e) {
        failures.add("seed " + seed + ": " + e.getMessage());
      }
      sum.add(model.counts());
    }
    System.out.println("collection model: " + sum);
    assertThat(failures).isEmpty();
    assertThat(sum.committed).isPositive();
    assertThat(sum.fenced).isPositive();
    assertThat(sum.late).as("captures that came too late").isPositive();
    assertThat(sum.compacted).isPositive();
    assertThat(sum.forked).isPositive();
    assertThat(sum.buried).as("branches that got a tombstone for a head").isPositive();
    assertThat(sum.deleted).isPositive();
    assertThat(sum.died).isPositive();
  }
}
