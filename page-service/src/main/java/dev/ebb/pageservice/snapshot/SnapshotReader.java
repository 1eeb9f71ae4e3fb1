package dev.ebb.pageservice.snapshot;

import dev.ebb.pageservice.cache.ChunkCache;
import dev.ebb.pageservice.cache.ChunkKey;
import dev.ebb.pageservice.cache.Futures;
import dev.ebb.pageservice.cache.ObjectCache;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.PackIndex;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.bus.PageMessage.BootPages.Run;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.page.Manifest.PackRef;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.ObjectStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;

/**
 * Answers reads of snapshots. A block is looked for in the snapshot's packs, the newest first; one
 * that lies below its file's length and is in no pack is {@code Corrupt}, never zeroes. Blocking.
 */
public final class SnapshotReader {
  /** Indexes that are fetched at the same time, where a snapshot has many packs. */
  private static final int INDEXES_AT_ONCE = 8;

  private final ObjectStore store;
  private final ObjectCache objects;
  private final ChunkCache chunks;
  private final PageCodec codec;
  private final ExecutorService threads;

  public SnapshotReader(
      ObjectStore store,
      ObjectCache objects,
      ChunkCache chunks,
      PageCodec codec,
      ExecutorService threads) {
    this.store = store;
    this.objects = objects;
    this.chunks = chunks;
    this.codec = codec;
    this.threads = threads;
  }

  /** {@code NotFound} where there is no such manifest. */
  public SnapshotView view(String manifestKey) {
    return objects.get(manifestKey, SnapshotView.class, () -> loadView(manifestKey));
  }

  private SnapshotView loadView(String manifestKey) {
    byte[] encoded =
        store
            .get(manifestKey)
            .orElseThrow(() -> new EbbException.NotFound("there is no manifest " + manifestKey))
            .content();
    try {
      return new SnapshotView(manifestKey, encoded, ManifestCodec.decode(encoded));
    } catch (EbbException.Corrupt e) {
      throw new EbbException.Corrupt(manifestKey + ": " + e.getMessage(), e);
    }
  }

  /** Keeps a snapshot that was just committed, and its boot pack's object, for the next start. */
  public void keep(SnapshotView view, PackRef bootPack, byte[] bootPackContent) {
    objects.put(view.key(), view);
    if (bootPackContent.length > 0) {
      objects.put(bootPack.key(), bootPack(bootPack.key(), bootPackContent));
    }
  }

  /** The pages of the boot pack; none where the snapshot has none. */
  public List<Run> bootPages(String manifestKey) {
    String key = view(manifestKey).manifest().bootPack();
    if (key.isEmpty()) {
      return List.of();
    }
    BootPack pack = objects.get(key, BootPack.class, () -> loadBootPack(key));
    try {
      return pack.runs(codec);
    } catch (EbbException.Corrupt damaged) {
      // was it the cache or the store? the store decides
      try {
        BootPack reread = loadBootPack(key);
        List<Run> runs = reread.runs(codec);
        objects.put(key, reread);
        return runs;
      } catch (EbbException.Corrupt e) {
        throw new EbbException.Corrupt("boot pack " + key + ": " + e.getMessage(), e);
      }
    }
  }

  private BootPack loadBootPack(String key) {
    byte[] content =
        store
            .get(key)
            .orElseThrow(() -> new EbbException.Corrupt("boot pack " + key + " is missing"))
            .content();
    return bootPack(key, content);
  }

  private static BootPack bootPack(String key, byte[] content) {
    PackRef ref = PackIndex.refOfWhole(key, content);
    byte[] index = Arrays.copyOfRange(content, content.length - ref.indexBytes(), content.length);
    return new BootPack(PackIndex.decode(ref, index), content);
  }

  /** Whole blocks of a file as they are in the snapshot, one behind the other. */
  public byte[] read(String manifestKey, FileId file, int firstBlock, int count) {
    return read(view(manifestKey), file, firstBlock, count);
  }

  public byte[] read(SnapshotView view, FileId file, int firstBlock, int count) {
    requireInside(view, file, firstBlock, count);
    Place[] places = locate(view, file, firstBlock, count);
    Map<ChunkKey, PackIndex> wanted = new LinkedHashMap<>();
    for (Place place : places) {
      if (place.length() > 0) {
        wanted.put(place.chunk(), place.index());
      }
    }
    Map<ChunkKey, byte[]> records = chunks.get(wanted);
    var out = new byte[count * PageCodec.BLOCK_BYTES];
    for (int i = 0; i < count; i++) {
      decode(file, firstBlock + i, places[i], records, out, i * PageCodec.BLOCK_BYTES);
    }
    return out;
  }

  /** Where a block's record is. */
  private record Place(PackIndex index, int page) {
    ChunkKey chunk() {
      return new ChunkKey(index.pack().key(), index.chunkOf(page));
    }

    int length() {
      return index.recordBytes(page);
    }

    int offsetInChunk() {
      return index.offset(page) - index.chunkStart(index.chunkOf(page));
    }
  }

  private static void requireInside(SnapshotView view, FileId file, int firstBlock, int count) {
    if (count < 1 || count > PageMessage.MAX_PAGES_PER_MESSAGE || firstBlock < 0) {
      throw new EbbException.Invalid(
          count + " blocks from " + firstBlock + " on cannot be read at once");
    }
    BlockFile stored =
        view.file(file.key())
            .filter(f -> f.incarnation() == file.incarnation())
            .orElseThrow(
                () -> new EbbException.Invalid("snapshot " + view.key() + " has no file " + file));
    if (count > stored.blocks() - firstBlock) {
      throw new EbbException.Invalid(
          file
              + " has "
              + stored.blocks()
              + " blocks in snapshot "
              + view.key()
              + ", asked for "
              + count
              + " from "
              + firstBlock
              + " on");
    }
  }

  private Place[] locate(SnapshotView view, FileId file, int firstBlock, int count) {
    var places = new Place[count];
    int missing = count;
    List<PackRef> packs = view.packs();
    for (int from = 0; from < packs.size() && missing > 0; from += INDEXES_AT_ONCE) {
      int to = Math.min(from + INDEXES_AT_ONCE, packs.size());
      for (PackIndex index : indexes(packs.subList(from, to))) {
        for (int i = 0; i < count && missing > 0; i++) {
          int page = places[i] == null ? index.find(file, firstBlock + i) : -1;
          if (page >= 0) {
            places[i] = new Place(index, page);
            missing--;
          }
        }
      }
    }
    for (int i = 0; i < count; i++) {
      if (places[i] == null) {
        throw new EbbException.Corrupt(
            "block " + (firstBlock + i) + " of " + file + " is in no pack of " + view.key());
      }
    }
    return places;
  }

  private List<PackIndex> indexes(List<PackRef> packs) {
    if (packs.size() == 1) {
      return List.of(index(packs.getFirst()));
    }
    List<CompletableFuture<PackIndex>> loading = new ArrayList<>();
    List<PackIndex> indexes = new ArrayList<>();
    for (PackRef pack : packs) {
      PackIndex cached = objects.ifPresent(pack.key(), PackIndex.class);
      loading.add(
          cached != null
              ? CompletableFuture.completedFuture(cached)
              : CompletableFuture.supplyAsync(() -> index(pack), threads));
    }
    loading.forEach(index -> indexes.add(Futures.await(index)));
    return indexes;
  }

  private PackIndex index(PackRef pack) {
    return objects.get(
        pack.key(),
        PackIndex.class,
        () -> {
          byte[] stored =
              store
                  .getRange(pack.key(), pack.bytes() - pack.indexBytes(), pack.indexBytes())
                  .orElseThrow(
                      () -> new EbbException.Corrupt("pack " + pack.key() + " is missing"));
          return PackIndex.decode(pack, stored);
        });
  }

  private void decode(
      FileId file, int block, Place place, Map<ChunkKey, byte[]> records, byte[] out, int at) {
    int length = place.length();
    if (length == 0) {
      return; // a page of zeroes, and so is a new array
    }
    try {
      decodeFrom(records, file, block, place, out, at);
    } catch (EbbException.Corrupt damaged) {
      // was it the cache or the store? the store decides
      try {
        decodeFrom(
            chunks.reread(Map.of(place.chunk(), place.index())), file, block, place, out, at);
      } catch (EbbException.Corrupt e) {
        PackRef pack = place.index().pack();
        throw new EbbException.Corrupt(
            "pack "
                + pack.key()
                + " at offset "
                + place.index().offset(place.page())
                + ": "
                + e.getMessage(),
            e);
      }
    }
  }

  private void decodeFrom(
      Map<ChunkKey, byte[]> records, FileId file, int block, Place place, byte[] out, int at) {
    byte[] chunk = records.get(place.chunk());
    if (chunk == null) {
      throw new IllegalStateException("chunk " + place.chunk() + " was not fetched");
    }
    codec.decode(file, block, chunk, place.offsetInChunk(), place.length(), out, at);
  }
}
