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

  /** How far ahead of this host's clock a time may be before it counts as the future. */
  private static final Duration AHEAD = Duration.ofSeconds(2);

  /**
   * How far the clocks of two hosts may be apart. The clock of the host that runs a compute stamps
   * its commits, that of a page service its snapshots: only from a snapshot that is so much older
   * than a time does its own stamp say that every commit in it is.
   */
  static final Duration MAX_SKEW = Duration.ofMinutes(1);

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
   * <p>Nothing keeps the snapshot that it begins from before the child's head is there: from then
   * on it is in use. Until then it was only for as long as the parent's head, or that one's
   * history, said so; which is looked at again therefore.
   *
   * @param address the parent's, for messages
   * @param at null for the parent's head: all that was acknowledged before the call
   * @return empty where the parent let go of that snapshot meanwhile: what was made is of no use
   */
  Optional<Fork> fork(
      BranchAddress address, BranchRecord parent, BranchId child, @Nullable BranchPoint at) {
    BranchHead head = parentHead(parent.id());
    Fork made = at == null ? atHead(head, child) : atPoint(address, parent, head, child, at);
    heads.create(made.head());
    if (keeps(parentHead(parent.id()), made.head().manifestKey())) {
      return Optional.of(made);
    }
    log.info("branch {}: {} let go of {}", child, address, made.head().manifestKey());
    return Optional.empty();
  }

  private boolean keeps(BranchHead head, String manifestKey) {
    return head.manifestKey().equals(manifestKey)
        || history.of(head, pages.manifest(head.manifestKey())).stream()
            .anyMatch(candidate -> candidate.manifestKey().equals(manifestKey));
  }

  private BranchHead parentHead(BranchId parent) {
    return heads
        .read(parent)
        .map(BranchHeads.Versioned::head)
        .filter(head -> !head.dropped())
        .orElseThrow(() -> new EbbException.NotFound("branch " + parent + " was dropped"));
  }

  private Fork atHead(BranchHead parent, BranchId child) {
    if (parent.closed() || !parent.logMade()) {
      return pointer(parent, child, pages.manifest(parent.manifestKey()));
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
    long tail = running.get().status().durableLsn().minus(base.replayFrom());
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
    Manifest newest = pages.manifest(head.manifestKey());
    refuseOutsideLife(address, parent, head, newest, at);
    if (!head.logMade()) {
      return atPointOfUnwritten(address, parent, head, newest, child, at);
    }
    long identifier = identifiers.next();
    EbbException.Corrupt damage = null;
    for (SnapshotHistory.Candidate candidate : history.of(head, newest)) {
      if (!isBefore(candidate, parent, at)) {
        continue;
      }
      Manifest base;
      try {
        base = pages.manifest(candidate.manifestKey());
      } catch (EbbException.NotFound e) {
        // Collected: what a branch inherits of its parent's history, the parent may have thinned.
        continue;
      } catch (EbbException.Corrupt e) {
        log.warn("{}: an earlier snapshot is taken in place of one: {}", address, e.getMessage());
        damage = e;
        continue;
      }
      LogForked forked = copy(head, child, identifier, base, at);
      switch (forked.outcome()) {
        case FORKED -> {
          return fork(head, child, identifier, candidate.manifestKey(), base, forked.cut());
        }
        case BEHIND_END -> throw ahead(address, at, forked.end());
        case NOT_IN_LOG -> throw outsideWindow(address, parent, head, newest, at);
        case BEFORE_FLOOR -> log.debug("snapshot {} is newer than {}", base.snapshot(), at);
      }
    }
    if (damage != null) {
      throw damage;
    }
    throw outsideWindow(address, parent, head, newest, at);
  }

  /** Whether nothing in a snapshot comes after a point, as far as can be told without its WAL. */
  private static boolean isBefore(
      SnapshotHistory.Candidate candidate, BranchRecord branch, BranchPoint at) {
    return switch (at.kind()) {
      case LSN -> !candidate.endLsn().isAfter(at.lsn());
      case TIME ->
          // What a branch began with is in every point of it.
          !candidate.endLsn().isAfter(branch.forkLsn())
              || candidate.committedEpochMs() + MAX_SKEW.toMillis() <= at.instant().toEpochMilli();
    };
  }

  /** Of a branch that nothing was ever written to there is one point only. */
  private Fork atPointOfUnwritten(
      BranchAddress address,
      BranchRecord parent,
      BranchHead head,
      Manifest newest,
      BranchId child,
      BranchPoint at) {
    if (at.kind() == BranchPoint.Kind.LSN && at.lsn().isAfter(newest.endLsn())) {
      throw ahead(address, at, newest.endLsn());
    }
    if (at.kind() == BranchPoint.Kind.LSN && at.lsn().isBefore(newest.endLsn())) {
      throw outsideWindow(address, parent, head, newest, at);
    }
    return pointer(head, child, newest);
  }

  private void refuseOutsideLife(
      BranchAddress address,
      BranchRecord parent,
      BranchHead head,
      Manifest newest,
      BranchPoint at) {
    if (at.kind() == BranchPoint.Kind.LSN) {
      if (at.lsn().isBefore(parent.forkLsn())) {
        throw outsideWindow(address, parent, head, newest, at);
      }
      return;
    }
    if (at.instant().isAfter(clock.instant().plus(AHEAD))) {
      throw new EbbException.Invalid(at + " lies in the future; it is " + clock.instant() + " now");
    }
    if (at.instant().toEpochMilli() < parent.createdEpochMs()) {
      throw outsideWindow(address, parent, head, newest, at);
    }
  }

  private static EbbException.Invalid ahead(BranchAddress address, BranchPoint at, Lsn end) {
    return new EbbException.Invalid(
        at.lsn()
            + " lies ahead of all that "
            + address
            + " has made durable, which ends at "
            + end);
  }

  private EbbException.Invalid outsideWindow(
      BranchAddress address,
      BranchRecord branch,
      BranchHead head,
      Manifest newest,
      BranchPoint at) {
    SnapshotHistory.Candidate oldest = oldest(branch, history.of(head, newest));
    boolean wholeLife = !oldest.endLsn().isAfter(branch.forkLsn());
    long from =
        wholeLife
            ? branch.createdEpochMs()
            : Math.max(oldest.committedEpochMs() + MAX_SKEW.toMillis(), branch.createdEpochMs());
    return new EbbException.Invalid(
        at
            + " lies outside of the window of "
            + address
            + "; its earliest point is "
            + Instant.ofEpochMilli(from)
            + " ("
            + Lsn.max(oldest.endLsn(), branch.forkLsn())
            + ")"
            + (branch.parent() == null || !wholeLife
                ? ""
                : "; what was before is in the branch that it was made from"));
  }

  /** The oldest that a point can be reached from; all that began the branch are as good. */
  private SnapshotHistory.Candidate oldest(
      BranchRecord branch, List<SnapshotHistory.Candidate> newestFirst) {
    SnapshotHistory.Candidate oldest = newestFirst.getFirst();
    for (SnapshotHistory.Candidate candidate : newestFirst) {
      if (!oldest.endLsn().isAfter(branch.forkLsn())) {
        break;
      }
      try {
        var _ = pages.manifest(candidate.manifestKey());
        oldest = candidate;
      } catch (EbbException.NotFound | EbbException.Corrupt e) {
        log.debug("no point is reached from {}: {}", candidate, e.getMessage());
      }
    }
    return oldest;
  }

  private LogForked copy(
      BranchHead parent, BranchId child, long identifier, Manifest base, @Nullable BranchPoint at) {
    return bus.call(
        Addresses.WAL,
        new WalMessage.ForkLog(
            parent.branch(),
            child,
            identifier,
            base.replayFrom(),
            base.endLsn(),
            base.walSegmentBytes(),
            base.branch().equals(parent.branch()) ? base.walOffsetHint() : -1,
            at),
        COPY_TIMEOUT_MS);
  }

  /** A child at the end of a clean snapshot: there is nothing that its log would begin with. */
  private Fork pointer(BranchHead parent, BranchId child, Manifest base) {
    return fork(parent, child, identifiers.next(), parent.manifestKey(), base, base.endLsn(), true);
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
    return fork(parent, child, identifier, manifestKey, base, cut, closed);
  }

  private static Fork fork(
      BranchHead parent,
      BranchId child,
      long identifier,
      String manifestKey,
      Manifest base,
      Lsn cut,
      boolean closed) {
    // What recovery finds, or what the snapshot has.
    boolean inherits =
        !closed
            || base.smallFiles().stream().anyMatch(file -> file.path().startsWith("pg_twophase/"));
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
            !closed,
            0,
            inherits),
        cut);
  }
}
