package dev.ebb.pageservice.snapshot;

import dev.ebb.pageservice.cache.ChunkCache;
import dev.ebb.pageservice.cache.ChunkKey;
import dev.ebb.pageservice.cache.ObjectCache;
import dev.ebb.pageservice.index.IndexNodes;
import dev.ebb.pageservice.index.IndexNodes.Found;
import dev.ebb.pageservice.index.PackObject;
import dev.ebb.pageservice.index.PageLocation;
import dev.ebb.pageservice.index.PageTable;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.PackIndex;
import dev.ebb.pageservice.pack.PackRef;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.bus.PageMessage.BootPages.Run;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.store.ObjectStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Answers reads of snapshots: the page index tells where a block's record is, and one ranged read
 * brings it, with its neighbours. A block that lies below its file's length and is not in the index
 * is {@code Corrupt}, never zeroes. Blocking.
 */
public final class SnapshotReader {
  /** A pack is fetched and cached in chunks of so many bytes. */
  private static final int CHUNK_BYTES = 32 << 10;

  private final ObjectStore store;
  private final ObjectCache objects;
  private final ChunkCache chunks;
  private final IndexNodes nodes;
  private final PageCodec codec;

  public SnapshotReader(
      ObjectStore store, ObjectCache objects, ChunkCache chunks, PageCodec codec) {
    this.store = store;
    this.objects = objects;
    this.chunks = chunks;
    this.nodes = new IndexNodes(chunks, objects);
    this.codec = codec;
  }

  /** The nodes of page indexes, through the same caches. */
  public IndexNodes nodes() {
    return nodes;
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
    return SnapshotView.decode(manifestKey, encoded);
  }

  /** Keeps a snapshot that was just committed, and its boot pack's object, for the next start. */
  public void keep(SnapshotView view, PackRef bootPack, byte[] bootPackContent) {
    objects.put(view.key(), view);
    if (bootPackContent.length > 0) {
      objects.put(bootPack.key(), bootPack(bootPack.key(), bootPackContent));
    }
  }

  /** Keeps a revision of a snapshot. */
  public void keep(SnapshotView view) {
    objects.put(view.key(), view);
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

  /** Where a pack's pages lie, read from its own index. */
  public PageTable places(PackRef pack) {
    byte[] stored =
        store
            .getRange(pack.key(), pack.bytes() - pack.indexBytes(), pack.indexBytes())
            .orElseThrow(() -> new EbbException.Corrupt("pack " + pack.key() + " is missing"));
    var places = new PageTable.Builder();
    var object = new PackObject(pack.key(), pack.bytes());
    PackIndex index = PackIndex.decode(pack, stored);
    index.forEach((file, block, page) ->
        places.add(
            file,
            block,
            index.recordBytes(page) == 0
                ? null
                : new PageLocation(object, index.offset(page), index.recordBytes(page))));
    return places.build();
  }

  /** Whole blocks of a file as they are in the snapshot, one behind the other. */
  public byte[] read(String manifestKey, FileId file, int firstBlock, int count) {
    return read(view(manifestKey), file, firstBlock, count);
  }

  public byte[] read(SnapshotView view, FileId file, int firstBlock, int count) {
    requireInside(view, file, firstBlock, count);
    Found[] places = nodes.find(view.index(), file, firstBlock, count);
    Set<ChunkKey> wanted = new LinkedHashSet<>();
    for (int i = 0; i < count; i++) {
      switch (places[i]) {
        case Found.At at -> wanted.addAll(chunksOf(at.location()));
        case Found.Zero zero -> {} // and so is a new array
        case Found.Missing missing ->
            throw new EbbException.Corrupt(
                "block " + (firstBlock + i) + " of " + file + " is in no pack of " + view.key());
      }
    }
    Map<ChunkKey, byte[]> records = chunks.get(wanted);
    var out = new byte[count * PageCodec.BLOCK_BYTES];
    for (int i = 0; i < count; i++) {
      if (places[i] instanceof Found.At at) {
        decode(file, firstBlock + i, at.location(), records, out, i * PageCodec.BLOCK_BYTES);
      }
    }
    return out;
  }

  /** The chunks that a record lies in: one, mostly, or two. */
  private static List<ChunkKey> chunksOf(PageLocation location) {
    List<ChunkKey> keys = new ArrayList<>(2);
    long end = (long) location.offset() + location.length();
    for (long chunk = location.offset() / CHUNK_BYTES; chunk * CHUNK_BYTES < end; chunk++) {
      long from = chunk * CHUNK_BYTES;
      int length = (int) Math.min(CHUNK_BYTES, location.pack().bytes() - from);
      keys.add(new ChunkKey(location.pack().key(), from, length));
    }
    return keys;
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

  private void decode(
      FileId file,
      int block,
      PageLocation location,
      Map<ChunkKey, byte[]> records,
      byte[] out,
      int at) {
    try {
      decodeFrom(records, file, block, location, out, at);
    } catch (EbbException.Corrupt damaged) {
      // was it the cache or the store? the store decides
      try {
        chunks.reread(
            chunksOf(location),
            fresh -> {
              decodeFrom(fresh, file, block, location, out, at);
              return out;
            });
      } catch (EbbException.Corrupt e) {
        throw new EbbException.Corrupt(
            "pack "
                + location.pack().key()
                + " at offset "
                + location.offset()
                + ": "
                + e.getMessage(),
            e);
      }
    }
  }

  private void decodeFrom(
      Map<ChunkKey, byte[]> records,
      FileId file,
      int block,
      PageLocation location,
      byte[] out,
      int at) {
    List<ChunkKey> keys = chunksOf(location);
    if (keys.size() == 1) {
      int from = (int) (location.offset() - keys.getFirst().offset());
      codec.decode(file, block, chunk(records, keys.getFirst()), from, location.length(), out, at);
    } else {
      codec.decode(file, block, record(location, records), 0, location.length(), out, at);
    }
  }

  /** Records as they are stored, past all caches. */
  public List<byte[]> records(List<PageLocation> locations) {
    Set<ChunkKey> wanted = new LinkedHashSet<>();
    locations.forEach(location -> wanted.addAll(chunksOf(location)));
    Map<ChunkKey, byte[]> chunks = this.chunks.readPast(wanted);
    List<byte[]> records = new ArrayList<>(locations.size());
    locations.forEach(location -> records.add(record(location, chunks)));
    return records;
  }

  private static byte[] record(PageLocation location, Map<ChunkKey, byte[]> chunks) {
    var record = new byte[location.length()];
    for (ChunkKey key : chunksOf(location)) {
      long from = Math.max(location.offset(), key.offset());
      long to = Math.min((long) location.offset() + location.length(), key.end());
      System.arraycopy(
          chunk(chunks, key),
          (int) (from - key.offset()),
          record,
          (int) (from - location.offset()),
          (int) (to - from));
    }
    return record;
  }

  private static byte[] chunk(Map<ChunkKey, byte[]> records, ChunkKey key) {
    byte[] chunk = records.get(key);
    if (chunk == null) {
      throw new IllegalStateException(key + " was not fetched");
    }
    return chunk;
  }
}
