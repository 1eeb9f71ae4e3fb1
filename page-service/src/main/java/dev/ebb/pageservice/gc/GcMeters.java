package dev.ebb.pageservice.gc;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;

/** What collection and compaction did. */
public final class GcMeters {
  private final Counter objects;
  private final Counter bytes;
  private final Counter damaged;
  private final Counter failed;
  private final Timer runs;
  private final Counter copied;
  private final Counter revisions;
  private final Counter lostRaces;

  public GcMeters(MeterRegistry meters) {
    objects =
        Counter.builder("ebb.page.gc.objects")
            .description("Objects that nothing reached and that were deleted")
            .register(meters);
    bytes =
        Counter.builder("ebb.page.gc.bytes")
            .description("Bytes of the objects that were deleted")
            .baseUnit("bytes")
            .register(meters);
    damaged =
        Counter.builder("ebb.page.gc.damaged")
            .description("Databases that were left alone, since something of them is damaged")
            .register(meters);
    failed =
        Counter.builder("ebb.page.gc.failed")
            .description("Collections that were given up")
            .register(meters);
    runs = Timer.builder("ebb.page.gc").description("Time of a collection").register(meters);
    copied =
        Counter.builder("ebb.page.compaction.copied")
            .description("Bytes of records that were copied out of packs that are mostly dead")
            .baseUnit("bytes")
            .register(meters);
    revisions =
        Counter.builder("ebb.page.compaction.revisions")
            .description("Snapshots that were revised")
            .register(meters);
    lostRaces =
        Counter.builder("ebb.page.compaction.lost")
            .description("Compactions that were thrown away: a capture was faster")
            .register(meters);
  }

  void deleted(long size) {
    objects.increment();
    bytes.increment((double) size);
  }

  void damaged() {
    damaged.increment();
  }

  public void failed() {
    failed.increment();
  }

  Timer runs() {
    return runs;
  }

  void revised(long bytesCopied) {
    copied.increment((double) bytesCopied);
    revisions.increment();
  }

  void lostRace() {
    lostRaces.increment();
  }
}
