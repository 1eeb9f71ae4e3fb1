package dev.ebb.pageservice.index;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.pageservice.Pages;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.page.BinaryWriter;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.store.InMemoryObjectStore;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** Formats are for ever: what {@code index-golden.txt} holds must stay readable. */
final class FormatsTest {
  private static final FileId HEAP = new FileId(Pages.heap(1000), 3);
  private static final FileId XACT = new FileId(new FileKey(FileKey.Kind.XACT, 0, 0, 0, 7), 1);
  private static final PackObject OLD = new PackObject("branches/a/packs/old-0", 5_000);
  private static final PackObject NEW = new PackObject("branches/b/packs/new-12", 70_000);
  private static final String NODES = "branches/b/index/new-0";

  private static PageTable table() {
    return new PageTable.Builder()
        .add(HEAP, 0, new PageLocation(OLD, 5, 1_200))
        .add(HEAP, 1, new PageLocation(OLD, 1_205, 800))
        .add(HEAP, 5, null)
        .add(HEAP, 131_071, new PageLocation(NEW, 66_000, 3_000))
        .add(XACT, 2, new PageLocation(OLD, 4_000, 20))
        .build();
  }

  private static InnerNode inner() {
    return new InnerNode(
        1,
        List.of(new PageKey(HEAP, 0), new PageKey(XACT, 2)),
        List.of(
            new NodeRef(NODES, 5, 120, 0x01020304, 4),
            new NodeRef("branches/a/index/old-3", 4_096, 99, -1, 1)));
  }

  private static String golden(String name) throws IOException {
    try (InputStream in =
        Objects.requireNonNull(FormatsTest.class.getResourceAsStream("index-golden.txt"))) {
      var lines = new TreeMap<String, String>();
      new String(in.readAllBytes(), StandardCharsets.US_ASCII)
          .lines()
          .map(line -> line.split(" "))
          .forEach(parts -> lines.put(parts[0], parts[1]));
      return lines.getOrDefault(name, "none");
    }
  }

  private static void assertGolden(String name, byte[] bytes) throws IOException {
    assertThat(HexFormat.of().formatHex(bytes))
        .as("index-golden.txt: %s %s", name, HexFormat.of().formatHex(bytes))
        .isEqualTo(golden(name));
  }

  @Test
  void fieldOfTheManifest() throws IOException {
    var index = new PageIndex(table(), List.of(new Cut(HEAP, 131_071)), inner());

    assertGolden("manifest-field", index.encode());
    PageIndex read = PageIndex.decode("m", HexFormat.of().parseHex(golden("manifest-field")));
    assertThat(read).usingRecursiveComparison().isEqualTo(index);
  }

  @Test
  void objectOfLeafAndInnerNode() throws IOException {
    var store = new InMemoryObjectStore();
    var objects = new IndexObjects(store, new BranchId("b"), "new");
    var body = new BinaryWriter(64);
    table().write(body);
    NodeRef leaf = objects.write(0, body, 5);
    var above = new BinaryWriter(64);
    inner().write(above);
    NodeRef node = objects.write(1, above, 5);
    objects.flush();

    assertThat(leaf.object()).isEqualTo(NODES);
    byte[] stored = store.get(NODES).orElseThrow().content();
    assertGolden("index-object", stored);
    byte[] good = HexFormat.of().parseHex(golden("index-object"));
    assertThat(NodeCodec.leaf(leaf, range(good, leaf)))
        .usingRecursiveComparison()
        .isEqualTo(table());
    assertThat(NodeCodec.inner(node, 1, range(good, node))).isEqualTo(inner());
  }

  private static byte[] range(byte[] object, NodeRef ref) {
    return java.util.Arrays.copyOfRange(object, ref.offset(), ref.offset() + ref.length());
  }

  @Test
  void newerNodeIsNamed() {
    var body = new BinaryWriter(64);
    table().write(body);
    byte[] newer = NodeCodec.seal(0, body);
    newer[4] = 7;
    var crc = new CRC32C();
    crc.update(newer, 0, newer.length - 4);
    ByteBuffer.wrap(newer).putInt(newer.length - 4, (int) crc.getValue());
    var ref = new NodeRef(NODES, 5, newer.length, (int) crc.getValue(), 5);

    assertThatThrownBy(() -> NodeCodec.leaf(ref, newer))
        .isInstanceOf(EbbException.Unavailable.class)
        .hasMessageContaining("format 7")
        .hasMessageContaining(NODES);
  }
}
