package dev.ebb.computeservice.pages;

import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.ManifestCodec;
import io.vertx.core.Future;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * One capture at the page service. Pages are sent ahead of their answers, a bounded number of
 * messages at once. Not thread-safe.
 */
public final class CaptureSink implements AutoCloseable {
  /** 8 MiB of pages under way. */
  private static final int MESSAGES_IN_FLIGHT = 8;

  private final BlockingBus bus;
  private final PageMessage.CaptureOpened opened;
  private final long timeoutMs;
  private final Deque<Future<?>> inFlight = new ArrayDeque<>();
  private boolean ended;

  CaptureSink(BlockingBus bus, PageMessage.CaptureOpened opened, long timeoutMs) {
    this.bus = bus;
    this.opened = opened;
    this.timeoutMs = timeoutMs;
  }

  public SnapshotId snapshot() {
    return opened.snapshot();
  }

  /**
   * Adds whole blocks of a file, at most {@link PageMessage#MAX_PAGES_PER_MESSAGE}.
   *
   * @param boot whether they go into the boot pack
   */
  public void put(FileKey file, int incarnation, int firstBlock, boolean boot, byte[] bytes) {
    while (inFlight.size() >= MESSAGES_IN_FLIGHT) {
      BlockingBus.await(inFlight.removeFirst(), timeoutMs);
    }
    inFlight.addLast(
        bus.bus()
            .request(
                opened.address(),
                new PageMessage.PutPages(
                    opened.snapshot(), file, incarnation, firstBlock, boot, bytes),
                timeoutMs));
  }

  /** Makes it the branch's snapshot. Where this fails with anything but Fenced, ask again. */
  public PageMessage.CaptureCommitted commit(Manifest manifest, boolean closed) {
    while (!inFlight.isEmpty()) {
      BlockingBus.await(inFlight.removeFirst(), timeoutMs);
    }
    var committed =
        bus.call(
            opened.address(),
            new PageMessage.CommitCapture(
                opened.snapshot(), ManifestCodec.encode(manifest), closed),
            timeoutMs);
    ended = true;
    return committed;
  }

  /** Gives the capture up unless it was committed. */
  @Override
  public void close() {
    if (!ended) {
      bus.bus()
          .request(opened.address(), new PageMessage.AbortCapture(opened.snapshot()), timeoutMs);
      ended = true;
    }
  }
}
