package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.capture.BootBlocks;
import dev.ebb.computeservice.capture.Capturer;
import dev.ebb.computeservice.skeleton.Skeleton;
import dev.ebb.shared.bus.ComputeMessage.WakeParts;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import java.io.IOException;
import java.time.Clock;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts a branch's primary from its head:
 *
 * <ol>
 *   <li>raise the generation by compare-and-set on the head: from here on no older primary can
 *       commit a snapshot;
 *   <li>open the log: from here on no older primary can make a commit durable. After a clean
 *       suspend the log ends where the snapshot does, and PostgreSQL starts meanwhile; after a
 *       crash, E and the WAL up to it come first;
 *   <li>lay out the skeleton, start PostgreSQL, wait until it accepts connections;
 *   <li>start the WAL receiver. Commits wait for it; reads do not.
 * </ol>
 */
public final class PrimaryStarter {
  private static final Logger log = LoggerFactory.getLogger(PrimaryStarter.class);
  private static final long DURABLE_BEFORE_ANSWER_MS = 1_000;

  private final PrimaryContext context;

  public PrimaryStarter(PrimaryContext context) {
    this.context = context;
  }

  /** Times the steps. */
  private static final class Stopwatch {
    private final long begin = System.nanoTime();
    private long last = begin;

    long lapMicros() {
      long now = System.nanoTime();
      long lap = (now - last) / 1_000;
      last = now;
      return lap;
    }

    long totalMicros() {
      return (System.nanoTime() - begin) / 1_000;
    }
  }

  /**
   * Starts it.
   *
   * @param prepare runs when PostgreSQL accepts connections, before the receiver starts; does
   *     nothing but at a database's first start
   */
  Primary start(BranchId branch, Consumer<Primary> prepare) {
    var watch = new Stopwatch();
    BranchHeads.Opened opened = context.heads().openGeneration(branch);
    BranchHead head = opened.head();
    long headMicros = watch.lapMicros();
    Manifest manifest = context.pages().manifest(head.manifestKey());
    long manifestMicros = watch.lapMicros();
    var wal = new WalAttachment(context.bus(), branch, head.generation(), manifest);
    CompletableFuture<Lsn> logOpen =
        CompletableFuture.supplyAsync(
            () -> wal.open(opened.previous().closed()), task -> Thread.ofVirtual().start(task));
    Skeleton.Tail tail = opened.previous().closed() ? null : tail(wal, logOpen);
    long logMicros = watch.lapMicros();
    var self = new AtomicReference<@Nullable Primary>();
    PostgresInstance instance =
        context
            .instances()
            .lay(
                new PostgresInstances.Start(
                    branch.value(),
                    head.generation(),
                    head.manifestKey(),
                    manifest,
                    head.systemIdentifier(),
                    tail,
                    timeoutMs -> awaitAllDurable(self, timeoutMs)));
    try {
      long skeletonMicros = watch.lapMicros();
      instance.launch();
      long postgresMicros = watch.lapMicros();
      var parts =
          new WakeParts(
              headMicros,
              manifestMicros,
              logMicros,
              skeletonMicros,
              postgresMicros,
              watch.totalMicros());
      var primary =
          new Primary(
              context,
              head,
              instance,
              wal,
              () -> join(logOpen),
              capturer(head, manifest, instance),
              parts);
      self.set(primary);
      prepare.accept(primary);
      primary.lookAfter();
      log.info(
          "branch {}: generation {} accepts connections after {} us (from {}{})",
          branch,
          head.generation(),
          parts.totalMicros(),
          instance.startLsn(),
          tail == null ? "" : ", recovered from " + tail.from());
      return primary;
    } catch (RuntimeException e) {
      instance.close();
      throw e;
    }
  }

  private static Skeleton.@Nullable Tail tail(WalAttachment wal, CompletableFuture<Lsn> logOpen) {
    Lsn end = join(logOpen);
    Lsn from = wal.replayFrom();
    return end.isAfter(from)
        ? new Skeleton.Tail(from, end, sink -> wal.read(from, end, sink))
        : null;
  }

  private Capturer capturer(BranchHead head, Manifest manifest, PostgresInstance instance) {
    var boot =
        new BootBlocks(manifest.bootBlocks(), instance.hydrator()::demanded, instance.localFiles());
    return new Capturer(
        head,
        manifest,
        instance.dataDirectory(),
        instance.localFiles(),
        context.pages(),
        boot,
        context.config().captureWalBytes(),
        context.config().captureIntervalMs(),
        Clock.systemUTC());
  }

  /** Storage rule 5: a cancelled commit wait goes on until all that is flushed is durable. */
  private static void awaitAllDurable(AtomicReference<@Nullable Primary> self, long timeoutMs)
      throws IOException {
    Primary primary = self.get();
    if (primary == null) {
      throw new IOException("the compute is still starting");
    }
    try {
      primary.awaitFlushedDurable(Math.max(1, timeoutMs - DURABLE_BEFORE_ANSWER_MS));
    } catch (EbbException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  private static <T> T join(CompletableFuture<T> future) {
    try {
      return future.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof EbbException known) {
        throw known;
      }
      throw new EbbException.Unavailable(String.valueOf(e.getMessage()), e);
    }
  }
}
