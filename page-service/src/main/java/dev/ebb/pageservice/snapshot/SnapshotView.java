package dev.ebb.pageservice.snapshot;

import dev.ebb.pageservice.pack.Weighed;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.page.Manifest.PackRef;
import java.util.List;
import java.util.Optional;

/**
 * A manifest, as stored and decoded.
 *
 * @param key the manifest's object
 */
public record SnapshotView(String key, byte[] encoded, Manifest manifest) implements Weighed {

  /** The file as it is in this snapshot. */
  public Optional<BlockFile> file(FileKey file) {
    List<BlockFile> files = manifest.files(); // sorted by key
    int low = 0;
    int high = files.size() - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      int order = files.get(middle).key().compareTo(file);
      if (order == 0) {
        return Optional.of(files.get(middle));
      }
      if (order < 0) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    return Optional.empty();
  }

  /** Newest first: the order in which packs are looked into. */
  List<PackRef> packs() {
    return manifest.packs().reversed();
  }

  @Override
  public int weight() {
    long smallBytes = manifest.smallFiles().stream().mapToLong(f -> f.content().length).sum();
    return (int)
        Math.min(
            Integer.MAX_VALUE, 1024L + encoded.length + smallBytes + manifest.files().size() * 96L);
  }
}
