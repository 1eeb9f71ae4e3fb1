package dev.ebb.shared.wal;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Numbers in the byte order in which PostgreSQL writes them on the machines that Ebb runs on. */
final class LittleEndian {
  private static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private LittleEndian() {}

  static int unsignedShort(byte[] bytes, int at) {
    return (short) SHORT.get(bytes, at) & 0xFFFF;
  }

  static int integer(byte[] bytes, int at) {
    return (int) INT.get(bytes, at);
  }

  static long unsignedInteger(byte[] bytes, int at) {
    return Integer.toUnsignedLong((int) INT.get(bytes, at));
  }

  static long bigInteger(byte[] bytes, int at) {
    return (long) LONG.get(bytes, at);
  }
}
