package dev.ebb.pageservice.capture;

import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.PackBuilder;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.page.Manifest.BlockRun;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The pages that go into a capture's boot pack: those that were put as such, and those that the
 * manifest names as boot blocks, from wherever the new snapshot has them. A page that is put again
 * without the mark replaces the marked one: the boot pack never differs from the snapshot.
 */
final class BootPages {
  /** 64 MiB before compression, far more than a start reads. */
  private static final int MAX_PAGES = 8192;

  private record Place(FileId file, int block) {}

  private final Map<Place, byte[]> records = new HashMap<>();

  void add(FileId file, int block, boolean marked, byte[] record, int from, int length) {
    var place = new Place(file, block);
    if (!marked && !records.containsKey(place)) {
      return;
    }
    if (records.size() >= MAX_PAGES && !records.containsKey(place)) {
      throw new EbbException.Invalid("more than " + MAX_PAGES + " pages for the boot pack");
    }
    records.put(place, java.util.Arrays.copyOfRange(record, from, from + length));
  }

  /** Whether every boot block of the manifest is here, so that none has to be read. */
  boolean hasAll(Manifest manifest, SnapshotView view) {
    return records.keySet().containsAll(wanted(manifest, view));
  }

  private static Set<Place> wanted(Manifest manifest, SnapshotView view) {
    Set<Place> places = new LinkedHashSet<>();
    for (BlockRun run : manifest.bootBlocks()) {
      Optional<BlockFile> file = view.file(run.file());
      if (file.isEmpty()) {
        continue;
      }
      var id = new FileId(run.file(), file.get().incarnation());
      int end = Math.min(run.firstBlock() + run.count(), file.get().blocks());
      for (int block = run.firstBlock(); block < end; block++) {
        places.add(new Place(id, block));
        if (places.size() > MAX_PAGES) {
          throw new EbbException.Invalid("more than " + MAX_PAGES + " boot blocks");
        }
      }
    }
    return places;
  }

  /** All of them as a pack; its {@code pages} is 0 where there are none. */
  PackBuilder build(SnapshotView view, SnapshotReader reader, PageCodec codec) {
    var pack = new PackBuilder();
    records.forEach((place, record) -> {
      boolean there =
          view.file(place.file().key())
              .filter(f -> f.incarnation() == place.file().incarnation())
              .filter(f -> place.block() < f.blocks())
              .isPresent();
      if (there) {
        pack.add(place.file(), place.block(), record, 0, record.length);
      }
    });
    var record = new byte[PageCodec.MAX_RECORD_BYTES];
    for (Place place : wanted(view.manifest(), view)) {
      if (!records.containsKey(place)) {
        byte[] page = reader.read(view, place.file(), place.block(), 1);
        int length = codec.encode(place.file(), place.block(), page, 0, record, 0);
        pack.add(place.file(), place.block(), record, 0, length);
      }
    }
    return pack;
  }

  void clear() {
    records.clear();
  }
}
