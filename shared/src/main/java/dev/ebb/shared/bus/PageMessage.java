package dev.ebb.shared.bus;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.FileKey;
import java.util.List;

/** What computes ask of the page service. Addresses: {@link Addresses#PAGE}. */
public sealed interface PageMessage extends BusMessage {

  /** Asks for an encoded manifest ({@code ManifestCodec}) by its object's key. */
  record ReadManifest(String manifestKey) implements PageMessage, Request<ManifestBytes> {}

  /** The encoded manifest. */
  record ManifestBytes(byte[] encoded) implements PageMessage {}

  /**
   * Asks for blocks as they are in a snapshot.
   *
   * @param count at most {@link #MAX_PAGES_PER_MESSAGE}
   */
  record ReadPages(String manifestKey, FileKey file, int incarnation, int firstBlock, int count)
      implements PageMessage, Request<Pages> {}

  /** {@code count} whole blocks, one behind the other. */
  record Pages(byte[] bytes) implements PageMessage {}

  /** Asks for the pages that every start reads. */
  record ReadBootPages(String manifestKey) implements PageMessage, Request<BootPages> {}

  /** Pages by runs; empty where the snapshot has no boot pack. */
  record BootPages(List<Run> runs) implements PageMessage {
    /** Whole blocks of one file from {@code firstBlock} on. */
    public record Run(FileKey file, int incarnation, int firstBlock, byte[] bytes) {}
  }

  /**
   * Begins a snapshot of a branch.
   *
   * @param baseManifestKey the snapshot it builds on (its packs are kept), or empty for none
   */
  record OpenCapture(BranchId branch, Generation generation, String baseManifestKey)
      implements PageMessage, Request<CaptureOpened> {}

  /**
   * A capture takes pages now.
   *
   * @param address where this capture's other messages go: the instance that holds it
   */
  record CaptureOpened(SnapshotId snapshot, String address) implements PageMessage {}

  /**
   * Adds pages to a capture. Pages of all zeroes are kept as such, in a few bytes.
   *
   * @param boot whether they go into the boot pack (besides, not instead of, the ordinary one)
   * @param bytes at most {@link #MAX_PAGES_PER_MESSAGE} whole blocks
   */
  record PutPages(
      SnapshotId snapshot,
      FileKey file,
      int incarnation,
      int firstBlock,
      boolean boot,
      byte[] bytes)
      implements PageMessage, Request<Ok> {}

  /**
   * Makes the capture the branch's snapshot: writes packs and manifest, then the head by
   * compare-and-set. {@code Fenced} where the head has another generation. Idempotent.
   *
   * @param manifest encoded; its {@code packs} and {@code bootPack} are filled in by the service
   * @param closed whether the compute has stopped cleanly: the log ends at the manifest's endLsn
   */
  record CommitCapture(SnapshotId snapshot, byte[] manifest, boolean closed)
      implements PageMessage, Request<CaptureCommitted> {}

  /** The branch's new snapshot. */
  record CaptureCommitted(String manifestKey, Lsn endLsn, long bytesWritten, int pages)
      implements PageMessage {}

  /** Gives a capture up; unknown captures are no error. */
  record AbortCapture(SnapshotId snapshot) implements PageMessage, Request<Ok> {}

  /**
   * Deletes every object of a dropped branch, but those that other branches of its database use:
   * they are collected when these are gone.
   */
  record DeleteBranchObjects(BranchId branch) implements PageMessage, Request<Ok> {}

  /** Collects what nothing reaches and compacts packs now, besides doing so from time to time. */
  record CollectGarbage() implements PageMessage, Request<GarbageCollected> {}

  /**
   * What a collection did.
   *
   * @param damaged databases that were left alone, since something of them is missing or damaged
   * @param compacted branches whose packs were rewritten
   */
  record GarbageCollected(int deleted, long deletedBytes, int damaged, int compacted)
      implements PageMessage {}

  /**
   * Begins to check what is stored: every checksum of everything that the branches reach.
   *
   * @param branches all of one database; empty for all that is stored
   */
  record OpenCheck(List<BranchId> branches) implements PageMessage, Request<CheckOpened> {}

  /**
   * A check runs now.
   *
   * @param address where its other messages go: the instance that runs it
   */
  record CheckOpened(String check, String address) implements PageMessage {}

  /** Asks how far a check is; answered within a second or two. One that nobody asks ends. */
  record StepCheck(String check) implements PageMessage, Request<CheckProgress> {}

  /**
   * How far a check is.
   *
   * @param finished whether these are the last findings
   * @param bytesDone of what is stored; grows
   * @param bytesTotal what there is, as far as it is known: may grow, too
   * @param objects that were checked
   * @param pages whose checksums were checked
   * @param findings since the last time
   */
  record CheckProgress(
      boolean finished,
      long bytesDone,
      long bytesTotal,
      long objects,
      long pages,
      List<Finding> findings)
      implements PageMessage {
    /** What a check may find. */
    public enum Kind {
      /** Not what was written: what it holds is lost, unless the object is restored. */
      DAMAGED,
      /** Referred to, and not there. */
      MISSING,
      /** There, and not referred to: it is going to be collected. */
      ORPHAN
    }

    /** One thing that was found, and of how many bytes, where that is known. */
    public record Finding(Kind kind, String object, long bytes, String problem) {}
  }

  /** Ends a check; unknown ones are no error. */
  record CloseCheck(String check) implements PageMessage, Request<Ok> {}

  /** 1 MiB of pages. */
  int MAX_PAGES_PER_MESSAGE = 128;
}
