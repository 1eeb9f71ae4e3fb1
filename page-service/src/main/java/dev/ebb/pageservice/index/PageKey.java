package dev.ebb.pageservice.index;

import dev.ebb.pageservice.pack.FileId;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.BinaryReader;
import dev.ebb.shared.page.BinaryWriter;
import dev.ebb.shared.page.FileKey;

/** A page's place, in the order of the index. */
record PageKey(FileId file, int block) implements Comparable<PageKey> {

  @Override
  public int compareTo(PageKey other) {
    int order = file.compareTo(other.file);
    return order != 0 ? order : Integer.compare(block, other.block);
  }

  /**
   * The stored form of a file, in varints: kind, database, relation, fork, segment, incarnation.
   */
  static void write(BinaryWriter out, FileId file) {
    FileKey key = file.key();
    out.putVarint(key.kind().code())
        .putVarint(key.database() & 0xFFFFFFFFL)
        .putVarint(key.relation() & 0xFFFFFFFFL)
        .putVarint(key.fork())
        .putVarint(key.segment())
        .putVarint(file.incarnation());
  }

  static FileId readFile(BinaryReader in) {
    int code = in.takeVarint(255);
    FileKey.Kind kind;
    try {
      kind = FileKey.Kind.ofCode(code);
    } catch (EbbException.Corrupt e) {
      throw in.corrupt("a file of kind " + code);
    }
    int database = take32(in);
    int relation = take32(in);
    int fork = in.takeVarint(3);
    int segment = in.takeVarint(Integer.MAX_VALUE);
    int incarnation = in.takeVarint(Integer.MAX_VALUE);
    return new FileId(new FileKey(kind, database, relation, fork, segment), incarnation);
  }

  private static int take32(BinaryReader in) {
    long value = in.takeVarint();
    if (value < 0 || value > 0xFFFFFFFFL) {
      throw in.corrupt("a number of more than 32 bits");
    }
    return (int) value;
  }
}
