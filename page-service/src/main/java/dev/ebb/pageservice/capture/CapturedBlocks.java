package dev.ebb.pageservice.capture;

import dev.ebb.pageservice.index.Cut;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.Manifest.BlockFile;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Which blocks a capture was given. */
final class CapturedBlocks {
  private final Map<FileId, BitSet> files = new HashMap<>();

  void add(FileId file, int firstBlock, int count) {
    files.computeIfAbsent(file, f -> new BitSet()).set(firstBlock, firstBlock + count);
  }

  boolean contains(FileId file, int block) {
    BitSet blocks = files.get(file);
    return blocks != null && blocks.get(block);
  }

  /**
   * Checks that every block of the manifest's files has a page: of the base where it has the block,
   * else of this capture. A block behind the base's end must be of this capture even where an older
   * pack has it, from before a truncation.
   */
  void requireComplete(Manifest manifest, @Nullable SnapshotView base) {
    for (BlockFile file : manifest.files()) {
      int inBase =
          base == null
              ? 0
              : base.file(file.key())
                  .filter(f -> f.incarnation() == file.incarnation())
                  .map(BlockFile::blocks)
                  .orElse(0);
      if (file.blocks() > inBase) {
        BitSet blocks = files.get(new FileId(file.key(), file.incarnation()));
        int missing = blocks == null ? inBase : blocks.nextClearBit(inBase);
        if (missing < file.blocks()) {
          throw new EbbException.Invalid(
              "block "
                  + missing
                  + " of "
                  + file.key()
                  + " (incarnation "
                  + file.incarnation()
                  + ", "
                  + file.blocks()
                  + " blocks) is in no pack: put it and commit again");
        }
      }
    }
  }

  /** What of this capture's blocks the manifest does not have: they were cut off meanwhile. */
  List<Cut> gone(Manifest manifest) {
    var kept = new ManifestFiles(manifest);
    List<Cut> cuts = new ArrayList<>();
    files.forEach((file, blocks) -> {
      if (blocks.length() > kept.blocks(file)) {
        cuts.add(new Cut(file, kept.blocks(file)));
      }
    });
    return cuts;
  }

  void clear() {
    files.clear();
  }
}
