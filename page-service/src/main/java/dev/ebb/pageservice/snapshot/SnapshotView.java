package dev.ebb.pageservice.snapshot;

import dev.ebb.pageservice.index.PageIndex;
import dev.ebb.pageservice.pack.Weighed;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.page.ManifestCodec;
import java.util.List;
import java.util.Optional;

/**
 * A manifest, as stored and decoded.
 *
 * @param key the manifest's object
 */
public record SnapshotView(String key, byte[] encoded, Manifest manifest, PageIndex index)
    implements Weighed {

  /** Of a stored manifest; {@code Corrupt} or {@code Unavailable} by its name. */
  public static SnapshotView decode(String key, byte[] encoded) {
    try {
      Manifest manifest = ManifestCodec.decode(encoded);
      return new SnapshotView(key, encoded, manifest, PageIndex.decode(key, manifest.pageIndex()));
    } catch (EbbException.Corrupt e) {
      throw new EbbException.Corrupt(key + ": " + e.getMessage(), e);
    } catch (EbbException.Unavailable e) {
      throw new EbbException.Unavailable(key + ": " + e.getMessage(), e);
    }
  }

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

  @Override
  public int weight() {
    long smallBytes = manifest.smallFiles().stream().mapToLong(f -> f.content().length).sum();
    return (int)
        Math.min(
            Integer.MAX_VALUE,
            1024L
                + encoded.length
                + manifest.pageIndex().length
                + index.weight()
                + smallBytes
                + manifest.files().size() * 96L);
  }
}
