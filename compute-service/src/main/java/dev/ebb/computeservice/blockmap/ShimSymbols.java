package dev.ebb.computeservice.blockmap;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * Checks that a {@code postgres} binary does its file input and output through entry points that
 * the page shim knows (storage rules 5 and 23), before it is trusted with a data directory.
 */
public final class ShimSymbols {

  /** Functions that could touch a relation file: by family, whatever the spelling. */
  private static final Pattern FILE_IO =
      Pattern.compile(
          "_{0,2}(?:f?open(?:at)?(?:2|64)?(?:_2)?|freopen(?:64)?|fdopen(?:dir)?|creat(?:64)?"
              + "|close(?:_range|from)?|dup[23]?|p?(?:read|write)v?(?:64)?(?:v?2)?(?:_chk)?"
              + "|copy_file_range|sendfile(?:64)?|splice|tee|vmsplice"
              + "|f?truncate(?:64)?|(?:posix_)?fallocate(?:64)?|f?l?x?stat(?:at)?(?:64)?|statx"
              + "|f?access(?:at)?|euidaccess|eaccess|opendir|readdir(?:64)?(?:_r)?|scandir(?:at)?(?:64)?"
              + "|nftw(?:64)?|ftw(?:64)?|fts_.*|glob(?:64)?|unlink(?:at)?|remove|rename(?:at2?)?"
              + "|link(?:at)?|rmdir|io_uring_.*|io_(?:setup|submit)|aio_.*(?:64)?|lio_listio(?:64)?"
              + "|open_by_handle_at|mkostemps?(?:64)?|syscall)");

  /** What the shim interposes. */
  private static final Set<String> INTERPOSED =
      Set.of(
          "open",
          "open64",
          "openat",
          "openat64",
          "__open_2",
          "__open64_2",
          "__openat_2",
          "__openat64_2",
          "creat",
          "creat64",
          "close",
          "dup",
          "dup2",
          "dup3",
          "fopen",
          "fopen64",
          "pread",
          "pread64",
          "preadv",
          "preadv64",
          "preadv2",
          "preadv64v2",
          "read",
          "readv",
          "__read_chk",
          "__pread_chk",
          "__pread64_chk",
          "pwrite",
          "pwrite64",
          "pwritev",
          "pwritev64",
          "pwritev2",
          "pwritev64v2",
          "write",
          "writev",
          "ftruncate",
          "ftruncate64",
          "truncate",
          "truncate64",
          "posix_fallocate",
          "posix_fallocate64",
          "fallocate",
          "fallocate64",
          "copy_file_range",
          "posix_fadvise",
          "posix_fadvise64",
          "stat",
          "stat64",
          "lstat",
          "lstat64",
          "fstatat",
          "fstatat64",
          "__xstat",
          "__xstat64",
          "__lxstat",
          "__lxstat64",
          "__fxstatat",
          "__fxstatat64",
          "statx",
          "access",
          "faccessat",
          "unlink",
          "unlinkat",
          "rmdir",
          "rename",
          "renameat",
          "renameat2",
          "link",
          "linkat",
          "opendir",
          "readdir",
          "readdir64",
          "rewinddir",
          "closedir");

  /**
   * Harmless: on a descriptor of a file that is materialised they tell the truth, and PostgreSQL
   * uses freopen and fdopen on its log only.
   */
  private static final Set<String> HARMLESS =
      Set.of("fstat", "fstat64", "__fxstat", "__fxstat64", "freopen", "freopen64", "fdopen");

  /** {@code replication/syncrep.c}: the shim looks for these in the server log. */
  private static final List<String> GIVES_UP_WAIT =
      List.of(
          "canceling wait for synchronous replication due to user request",
          "canceling the wait for synchronous replication and terminating connection");

  private ShimSymbols() {}

  /**
   * Refuses a binary that the shim would not see everything of.
   *
   * @throws IOException if it cannot be read, is no 64-bit little-endian ELF file, or uses entry
   *     points that the shim does not cover; the message names them
   */
  public static void check(Path postgres) throws IOException {
    ByteBuffer image;
    try (FileChannel channel = FileChannel.open(postgres, StandardOpenOption.READ)) {
      image = channel.map(MapMode.READ_ONLY, 0, channel.size()).order(ByteOrder.LITTLE_ENDIAN);
    }
    TreeSet<String> unknown = new TreeSet<>();
    for (String symbol : undefinedSymbols(image, postgres)) {
      if (isUncovered(symbol)) {
        unknown.add(symbol);
      }
    }
    if (!unknown.isEmpty()) {
      throw new IOException(
          postgres + " does file input or output in ways the page shim does not cover: " + unknown);
    }
    for (String text : GIVES_UP_WAIT) {
      if (!contains(image, text.getBytes(StandardCharsets.US_ASCII))) {
        throw new IOException(
            postgres + " does not log \"" + text + "\": a cancelled commit wait would go unseen");
      }
    }
  }

  /** Whether a function of the C library may touch files behind the shim's back. */
  static boolean isUncovered(String symbol) {
    return FILE_IO.matcher(symbol).matches()
        && !INTERPOSED.contains(symbol)
        && !HARMLESS.contains(symbol);
  }

  private static boolean contains(ByteBuffer image, byte[] text) {
    int last = image.limit() - text.length;
    for (int at = 0; at <= last; at++) {
      int i = 0;
      while (i < text.length && image.get(at + i) == text[i]) {
        i++;
      }
      if (i == text.length) {
        return true;
      }
    }
    return false;
  }

  /** The undefined symbols of the dynamic symbol table (ELF-64, System V ABI chapter 4). */
  static List<String> undefinedSymbols(ByteBuffer image, Path file) throws IOException {
    if (image.limit() < 64
        || image.getInt(0) != 0x464C457F
        || image.get(4) != 2
        || image.get(5) != 1) {
      throw new IOException(file + " is not a 64-bit little-endian ELF file");
    }
    int sections = (int) image.getLong(0x28);
    int sectionBytes = image.getShort(0x3A);
    int sectionCount = Short.toUnsignedInt(image.getShort(0x3C));
    List<String> names = new ArrayList<>();
    for (int i = 0; i < sectionCount; i++) {
      int section = sections + i * sectionBytes;
      if (image.getInt(section + 4) != 11) { // SHT_DYNSYM
        continue;
      }
      int symbols = (int) image.getLong(section + 0x18);
      int end = symbols + (int) image.getLong(section + 0x20);
      int strings =
          (int) image.getLong(sections + image.getInt(section + 0x28) * sectionBytes + 0x18);
      for (int symbol = symbols; symbol < end; symbol += 24) {
        if (image.getShort(symbol + 6) == 0 && image.getInt(symbol) != 0) {
          names.add(string(image, strings + image.getInt(symbol)));
        }
      }
    }
    if (names.isEmpty()) {
      throw new IOException(file + " has no dynamic symbols: a static binary cannot be shimmed");
    }
    return names;
  }

  private static String string(ByteBuffer image, int at) {
    int end = at;
    while (image.get(end) != 0) {
      end++;
    }
    byte[] bytes = new byte[end - at];
    image.get(at, bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
