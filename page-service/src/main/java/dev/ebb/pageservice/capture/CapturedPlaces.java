package dev.ebb.pageservice.capture;

import dev.ebb.pageservice.index.Cut;
import dev.ebb.pageservice.index.IndexMerge;
import dev.ebb.pageservice.index.PageIndex;
import dev.ebb.pageservice.index.PageTable;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.PackRef;
import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.Manifest.BlockFile;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Where a capture's pages lie, on their way into a page index. A capture of more pages than are to
 * be held in memory goes into the tree bit by bit. Not thread-safe.
 */
final class CapturedPlaces {
  /** Of a few MB. */
  private static final int MAX_ROWS = 1 << 18;

  private final SnapshotReader reader;
  private final IndexMerge merge;
  private final Supplier<@Nullable SnapshotView> base;
  private final List<PackRef> packs = new ArrayList<>();
  private List<PageTable> pending = new ArrayList<>();
  private int rows;
  private @Nullable Begun begun;

  /** The index of a base with a part of this capture in it. */
  private record Begun(String baseKey, PageIndex index) {}

  /**
   * @param base what the snapshot builds on if it is committed now; null for nothing
   */
  CapturedPlaces(SnapshotReader reader, IndexMerge merge, Supplier<@Nullable SnapshotView> base) {
    this.reader = reader;
    this.merge = merge;
    this.base = base;
  }

  /** Takes the places of a pack's pages; later packs win. */
  void add(PackRef pack, PageTable places) {
    if (rows > 0 && rows + places.rows() > MAX_ROWS) {
      begin();
    }
    packs.add(pack);
    pending.add(places);
    rows += places.rows();
  }

  private void begin() {
    Begun before = begun;
    SnapshotView on = before == null ? base.get() : null;
    PageIndex from = before != null ? before.index() : on == null ? PageIndex.EMPTY : on.index();
    PageIndex index = merge.apply(from, List.of(), takePending(), 0);
    begun = new Begun(before != null ? before.baseKey() : keyOf(on), index);
  }

  private static String keyOf(@Nullable SnapshotView view) {
    return view == null ? "" : view.key();
  }

  private PageTable takePending() {
    PageTable merged = merged(pending);
    pending = new ArrayList<>();
    rows = 0;
    return merged;
  }

  private static PageTable merged(List<PageTable> tables) {
    PageTable all = PageTable.EMPTY;
    for (PageTable table : tables) {
      all = PageTable.merge(all, table);
    }
    return all;
  }

  /** The index of the new snapshot; may be asked again, on another base. */
  PageIndex compose(@Nullable SnapshotView on, Manifest manifest, CapturedBlocks blocks) {
    List<Cut> cuts = new ArrayList<>(on == null ? List.of() : gone(on.manifest(), manifest));
    Begun before = begun;
    PageIndex from = on == null ? PageIndex.EMPTY : on.index();
    if (before != null) {
      from = before.baseKey().equals(keyOf(on)) ? before.index() : again(from);
      cuts.addAll(blocks.gone(manifest));
    }
    var files = new ManifestFiles(manifest);
    PageTable added = merged(pending).filter((file, block, row) -> files.has(file, block));
    return merge.apply(from, cuts, added, IndexMerge.RECENT_BYTES);
  }

  /** All but what is pending, on another base than the one it was begun on: out of the packs. */
  private PageIndex again(PageIndex from) {
    PageIndex index = from;
    for (PackRef pack : packs.subList(0, packs.size() - pending.size())) {
      index = merge.apply(index, List.of(), reader.places(pack), 0);
    }
    return index;
  }

  /** What the tree need not say any more: files that went, or became shorter. */
  private static List<Cut> gone(Manifest before, Manifest after) {
    var files = new ManifestFiles(after);
    List<Cut> cuts = new ArrayList<>();
    for (BlockFile file : before.files()) {
      var id = new FileId(file.key(), file.incarnation());
      int left = files.blocks(id);
      if (left < file.blocks()) {
        cuts.add(new Cut(id, left));
      }
    }
    return cuts;
  }
}
