package dev.ebb.gateway.pool;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Messages that the gateway puts into a stream, or takes out of one. */
final class Messages {
  private Messages() {}

  static ByteBuf query(ByteBufAllocator allocator, byte[] sql) {
    return allocator
        .ioBuffer(sql.length + 6)
        .writeByte('Q')
        .writeInt(sql.length + 5)
        .writeBytes(sql)
        .writeByte(0);
  }

  static ByteBuf sync() {
    return Unpooled.wrappedBuffer(new byte[] {'S', 0, 0, 0, 4});
  }

  /**
   * Parse.
   *
   * @param name without a zero; empty for the unnamed statement
   * @param definition all behind the name
   */
  static ByteBuf parse(ByteBufAllocator allocator, byte[] name, byte[] definition) {
    int length = 4 + name.length + 1 + definition.length;
    return allocator
        .ioBuffer(length + 1)
        .writeByte('P')
        .writeInt(length)
        .writeBytes(name)
        .writeByte(0)
        .writeBytes(definition);
  }

  static ByteBuf closeStatement(ByteBufAllocator allocator, byte[] name) {
    int length = 4 + 1 + name.length + 1;
    return allocator
        .ioBuffer(length + 1)
        .writeByte('C')
        .writeInt(length)
        .writeByte('S')
        .writeBytes(name)
        .writeByte(0);
  }

  static ByteBuf describeStatement(ByteBufAllocator allocator, byte[] name) {
    return closeStatement(allocator, name).setByte(0, 'D');
  }

  /**
   * What a Bind begins with, up to and with the statement's name.
   *
   * @param portal with its zero
   * @param rest how many bytes follow
   */
  static ByteBuf bind(ByteBufAllocator allocator, ByteBuf portal, byte[] name, int rest) {
    int own = portal.readableBytes() + name.length + 1;
    return allocator
        .ioBuffer(5 + own)
        .writeByte('B')
        .writeInt(4 + own + rest)
        .writeBytes(portal)
        .writeBytes(name)
        .writeByte(0);
  }

  static ByteBuf ready(byte status) {
    return Unpooled.wrappedBuffer(new byte[] {'Z', 0, 0, 0, 5, status});
  }

  static ByteBuf parameterStatus(String name, String value) {
    byte[] n = name.getBytes(StandardCharsets.ISO_8859_1);
    byte[] v = value.getBytes(StandardCharsets.ISO_8859_1);
    return Unpooled.buffer(n.length + v.length + 7)
        .writeByte('S')
        .writeInt(4 + n.length + 1 + v.length + 1)
        .writeBytes(n)
        .writeByte(0)
        .writeBytes(v)
        .writeByte(0);
  }

  /** A NOTICE of the gateway's own. */
  static ByteBuf notice(String text) {
    byte[] fields =
        ("SNOTICE\0VNOTICE\0C00000\0M" + text.replace('\0', '?') + "\0\0")
            .getBytes(StandardCharsets.UTF_8);
    return Unpooled.buffer(fields.length + 5)
        .writeByte('N')
        .writeInt(fields.length + 4)
        .writeBytes(fields);
  }

  /** An ERROR behind which the session goes on. */
  static ByteBuf error(String sqlState, String text) {
    byte[] fields =
        ("SERROR\0VERROR\0C" + sqlState + "\0M" + text.replace('\0', '?') + "\0\0")
            .getBytes(StandardCharsets.UTF_8);
    return Unpooled.buffer(fields.length + 5)
        .writeByte('E')
        .writeInt(fields.length + 4)
        .writeBytes(fields);
  }

  /** The columns of a DataRow in text format, with a character for each byte. */
  static List<@Nullable String> row(ByteBuf in, int start, int length) {
    var columns = new ArrayList<@Nullable String>();
    int end = start + length;
    int count = length < 2 ? 0 : in.getUnsignedShort(start);
    int at = start + 2;
    for (int i = 0; i < count; i++) {
      int bytes = at + 4 <= end ? in.getInt(at) : 0;
      at += 4;
      if (bytes > end - at || at > end) {
        throw new IllegalArgumentException("a row that ends too early");
      }
      columns.add(bytes < 0 ? null : in.toString(at, bytes, StandardCharsets.ISO_8859_1));
      at += Math.max(0, bytes);
    }
    return columns;
  }
}
