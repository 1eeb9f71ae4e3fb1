package dev.ebb.computeservice.provision;

import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.ComputeMessage;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.bus.WalMessage.LogForked;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.fleet.FleetView.PlacedCompute;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.BranchPoint;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes logs and heads of child branches. No page is copied: a child's head names a snapshot of its
 * parent's; where WAL lies between that and the cut, the child's log begins with it, and its first
 * start recovers as from a crash. {@code docs/decisions/0009-branches-copy-the-tail.md}.
 */
final class BranchForks {
  private static final Logger log = LoggerFactory.getLogger(BranchForks.class);
  private static final long TIMEOUT_MS = 30_000;
  private static final long COPY_TIMEOUT_MS = 300_000;

  /**
   * Behind more WAL than this a running parent is captured first. Measured under a load that keeps
   * two cores busy: a capture behind 17 MB of WAL took 137 ms, and the child's recovery 264 ms in
   * place of a second.
   */
  private static final long MAX_TAIL_BYTES = 512 << 10;

  /** How far clocks of hosts may be apart before a time counts as the future. */
  private static final Duration CLOCK_SKEW = Duration.ofSeconds(2);

  private final BlockingBus bus;
  private final BranchHeads heads;
  private final PageClient pages;
  private final SnapshotHistory history;
  private final Function<BranchId, Optional<PlacedCompute>> computes;
  private final SystemIdentifiers identifiers;
  private final Clock clock;

  BranchForks(
      BlockingBus bus,
      BranchHeads heads,
      PageClient pages,
      SnapshotHistory history,
      Function<BranchId, Optional<PlacedCompute>> computes,
      SystemIdentifiers identifiers,
      Clock clock) {
    this.bus = bus;
    this.heads = heads;
    this.pages = pages;
    this.history = history;
    this.computes = computes;
    this.identifiers = identifiers;
    this.clock = clock;
  }

  /**
   * A child that can be started.
   *
   * @param cut where it left its parent
   */
  record Fork(BranchHead head, Lsn cut) {}

  /**
   * Makes a child's log and then its head, with which it can be started.
   *
   * @param address the parent's, for messages
   * @param at null for the parent's head: all that was acknowledged before the call
   */
  Fork fork(BranchAddress address, BranchRecord parent, BranchId child, @Nullable BranchPoint at) {
    BranchHead head = parentHead(parent.id());
    Fork made = at == null ? atHead(head, child) : atPoint(address, parent, head, child, at);
    heads.create(made.head());
    return made;
  }

  private BranchHead parentHead(BranchId parent) {
    return heads
        .read(parent)
        .map(BranchHeads.Versioned::head)
        .filter(head -> !head.dropped())
        .orElseThrow(() -> new EbbException.NotFound("branch " + parent + " was dropped"));
  }

  private Fork atHead(BranchHead parent, BranchId child) {
    if (parent.closed()) {
      return new Fork(pointer(parent, child, parent.closedLsn()), parent.closedLsn());
    }
    if (!parent.logMade()) {
      Lsn end = pages.manifest(parent.manifestKey()).endLsn();
      return new Fork(pointer(parent, child, end), end);
    }
    BranchHead from = captureLongTail(parent);
    long identifier = identifiers.next();
    Manifest base = pages.manifest(from.manifestKey());
    LogForked forked = copy(from, child, identifier, base, null);
    if (forked.outcome() != LogForked.Outcome.FORKED) {
      throw new EbbException.Corrupt(
          "the log of branch "
              + parent.branch()
              + " does not go on from its newest snapshot ("
              + base.endLsn()
              + "): "
              + forked.outcome());
    }
    return fork(parent, child, identifier, from.manifestKey(), base, forked.cut());
  }

  private BranchHead captureLongTail(BranchHead parent) {
    Optional<PlacedCompute> running = computes.apply(parent.branch());
    if (running.isEmpty()) {
      return parent;
    }
    Manifest base = pages.manifest(parent.manifestKey());
    long tail = running.get().status().durableLsn().minus(replayFrom(base));
    if (tail <= MAX_TAIL_BYTES) {
      return parent;
    }
    log.info("branch {}: captured first, {} bytes of WAL to branch off", parent.branch(), tail);
    try {
      bus.call(
          Addresses.host(running.get().host()),
          new ComputeMessage.CaptureBranch(parent.branch()),
          TIMEOUT_MS);
    } catch (EbbException e) {
      log.warn("branch {}: not captured before a branch: {}", parent.branch(), e.getMessage());
    }
    return parentHead(parent.branch());
  }

  private Fork atPoint(
      BranchAddress address, BranchRecord parent, BranchHead head, BranchId child, BranchPoint at) {
    refuseOutsideLife(address, parent, at);
    long identifier = identifiers.next();
    List<SnapshotHistory.Candidate> candidates =
        history.of(head, pages.manifest(head.manifestKey()));
    for (SnapshotHistory.Candidate candidate : candidates) {
      if (at.kind() == BranchPoint.Kind.TIME
          && candidate.committedEpochMs() > Math.floorDiv(at.epochMicros(), 1_000)) {
        continue;
      }
      if (at.kind() == BranchPoint.Kind.LSN && candidate.endLsn().isAfter(at.lsn())) {
        continue;
      }
      Manifest base;
      try {
        base = pages.manifest(candidate.manifestKey());
      } catch (EbbException.NotFound e) {
        break; // it, and with it all earlier ones, fell out of the window
      }
      LogForked forked = copy(head, child, identifier, base, at);
      switch (forked.outcome()) {
        case FORKED -> {
          return fork(head, child, identifier, candidate.manifestKey(), base, forked.cut());
        }
        case BEHIND_END ->
            throw new EbbException.Invalid(
                at.lsn()
                    + " lies ahead of all that "
                    + address
                    + " has made durable, which ends at "
                    + forked.end());
        case NOT_IN_LOG -> throw outsideWindow(address, parent, at);
        case BEFORE_FLOOR -> log.debug("snapshot {} is newer than {}", base.snapshot(), at);
      }
    }
    throw outsideWindow(address, parent, at);
  }

  private void refuseOutsideLife(BranchAddress address, BranchRecord parent, BranchPoint at) {
    if (at.kind() == BranchPoint.Kind.LSN) {
      if (at.lsn().isBefore(parent.forkLsn())) {
        throw outsideWindow(address, parent, at);
      }
      return;
    }
    if (at.instant().isAfter(clock.instant().plus(CLOCK_SKEW))) {
      throw new EbbException.Invalid(at + " lies in the future; it is " + clock.instant() + " now");
    }
    if (at.instant().toEpochMilli() < parent.createdEpochMs()) {
      throw outsideWindow(address, parent, at);
    }
  }

  private EbbException.Invalid outsideWindow(
      BranchAddress address, BranchRecord parent, BranchPoint at) {
    BranchHead head = parentHead(parent.id());
    List<SnapshotHistory.Candidate> candidates =
        history.of(head, pages.manifest(head.manifestKey()));
    SnapshotHistory.Candidate oldest = candidates.getLast();
    long from = Math.max(oldest.committedEpochMs(), parent.createdEpochMs());
    Lsn first = Lsn.max(oldest.endLsn(), parent.forkLsn());
    return new EbbException.Invalid(
        at
            + " lies outside of the window of "
            + address
            + ", which is from "
            + Instant.ofEpochMilli(from)
            + " ("
            + first
            + ") until now"
            + (parent.parent() == null
                ? ""
                : "; what was before is in the branch that it was made from"));
  }

  private LogForked copy(
      BranchHead parent, BranchId child, long identifier, Manifest base, @Nullable BranchPoint at) {
    if (!parent.logMade()) {
      // Nothing was ever written to it.
      return new LogForked(
          at == null || !at.lsn().isAfter(base.endLsn())
              ? LogForked.Outcome.FORKED
              : LogForked.Outcome.BEHIND_END,
          base.endLsn(),
          base.endLsn(),
          0);
    }
    return bus.call(
        Addresses.WAL,
        new WalMessage.ForkLog(
            parent.branch(),
            child,
            identifier,
            replayFrom(base),
            base.endLsn(),
            base.walSegmentBytes(),
            base.branch().equals(parent.branch()) ? base.walOffsetHint() : -1,
            at),
        COPY_TIMEOUT_MS);
  }

  private static Lsn replayFrom(Manifest base) {
    return base.clean() ? base.endLsn() : base.redoLsn();
  }

  /** A child at the end of a clean snapshot: there is nothing that its log would begin with. */
  private BranchHead pointer(BranchHead parent, BranchId child, Lsn end) {
    return new BranchHead(
        parent.formatVersion(),
        child,
        parent.database(),
        identifiers.next(),
        Generation.NONE,
        parent.manifestKey(),
        true,
        end,
        false,
        false);
  }

  private static Fork fork(
      BranchHead parent,
      BranchId child,
      long identifier,
      String manifestKey,
      Manifest base,
      Lsn cut) {
    // Where the cut is a clean snapshot's end the child is as after a suspend.
    boolean closed = base.clean() && base.endLsn().equals(cut);
    return new Fork(
        new BranchHead(
            parent.formatVersion(),
            child,
            parent.database(),
            identifier,
            Generation.NONE,
            manifestKey,
            closed,
            closed ? cut : Lsn.INVALID,
            false,
            !closed),
        cut);
  }
}
