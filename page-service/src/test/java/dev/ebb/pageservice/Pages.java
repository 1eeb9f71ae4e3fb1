package dev.ebb.pageservice;

import dev.ebb.shared.page.FileKey;
import java.util.Random;

/** Pages to test with: each tells from its bytes which block and which version it is. */
public final class Pages {
  private Pages() {}

  /** As compressible as a heap page; the same for the same arguments. */
  public static byte[] page(long version, FileKey file, int block) {
    var page = new byte[FileKey.BLOCK_BYTES];
    var random = new Random(version * 1_000_003 + file.hashCode() * 31L + block);
    for (int row = 0; row < FileKey.BLOCK_BYTES; row += 128) {
      byte[] text =
          ("row " + random.nextInt(1000) + " of version " + version)
              .getBytes(java.nio.charset.StandardCharsets.US_ASCII);
      System.arraycopy(text, 0, page, row, text.length);
      for (int i = 100; i < 108; i++) {
        page[row + i] = (byte) random.nextInt();
      }
    }
    return page;
  }

  /** One that does not get smaller. */
  public static byte[] noise(long seed) {
    var page = new byte[FileKey.BLOCK_BYTES];
    new Random(seed).nextBytes(page);
    return page;
  }

  public static byte[] zero() {
    return new byte[FileKey.BLOCK_BYTES];
  }

  public static FileKey heap(int relation) {
    return new FileKey(FileKey.Kind.RELATION, 16384, relation, 0, 0);
  }
}
