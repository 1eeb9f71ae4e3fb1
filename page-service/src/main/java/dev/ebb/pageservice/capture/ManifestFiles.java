package dev.ebb.pageservice.capture;

import dev.ebb.pageservice.pack.FileId;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.Manifest.BlockFile;
import java.util.HashMap;
import java.util.Map;

/** A manifest's files, to look up. */
final class ManifestFiles {
  private final Map<FileKey, BlockFile> files;

  ManifestFiles(Manifest manifest) {
    files = HashMap.newHashMap(manifest.files().size());
    manifest.files().forEach(file -> files.put(file.key(), file));
  }

  /** The file's length; 0 where it is not there in this incarnation. */
  int blocks(FileId id) {
    BlockFile file = files.get(id.key());
    return file == null || file.incarnation() != id.incarnation() ? 0 : file.blocks();
  }

  boolean has(FileId id, int block) {
    return block < blocks(id);
  }
}
