package dev.ebb.pageservice.capture;

import dev.ebb.shared.page.FileKey;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;

/**
 * What captures take and write. Write amplification is the uploaded bytes over the changed ones.
 */
final class CaptureMeters {
  private final Counter pages;
  private final Counter changed;
  private final Counter packs;
  private final Counter index;
  private final Counter manifests;
  private final Counter bootPacks;
  private final Counter rebased;
  private final Timer commits;

  CaptureMeters(MeterRegistry meters) {
    pages =
        Counter.builder("ebb.page.capture.pages")
            .description("Pages that captures were given")
            .register(meters);
    changed =
        Counter.builder("ebb.page.capture.changed")
            .description("Bytes of the pages that captures were given, before compression")
            .baseUnit("bytes")
            .register(meters);
    packs = upload(meters, "pack");
    index = upload(meters, "index");
    manifests = upload(meters, "manifest");
    bootPacks = upload(meters, "boot");
    rebased =
        Counter.builder("ebb.page.capture.rebased")
            .description("Commits that were composed anew, since the head had been revised")
            .register(meters);
    commits =
        Timer.builder("ebb.page.capture.commit")
            .description("Time from a commit's request to its answer")
            .register(meters);
  }

  private static Counter upload(MeterRegistry meters, String kind) {
    return Counter.builder("ebb.page.capture.uploaded")
        .description("Bytes that commits wrote to the store")
        .tag("object", kind)
        .baseUnit("bytes")
        .register(meters);
  }

  void taken(int count) {
    pages.increment(count);
    changed.increment((double) count * FileKey.BLOCK_BYTES);
  }

  void uploaded(long packBytes, long indexBytes, long manifestBytes, long bootBytes) {
    packs.increment((double) packBytes);
    index.increment((double) indexBytes);
    manifests.increment((double) manifestBytes);
    bootPacks.increment((double) bootBytes);
  }

  void composedAnew() {
    rebased.increment();
  }

  Timer commits() {
    return commits;
  }
}
