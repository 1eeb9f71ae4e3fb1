package dev.ebb.gateway.listen;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Which socket of those that share a port gets new connections: a short program that the kernel
 * runs for each, kept by the group for as long as there is one, whoever attached it. See {@code
 * SO_ATTACH_REUSEPORT_CBPF} in {@code socket(7)} and {@code reuseport_select_sock} in Linux's
 * {@code net/core/sock_reuseport.c}: the program's result is the place of the socket in the group;
 * where there is none at that place a hash decides.
 */
final class SocketFilter {
  private static final int SOL_SOCKET = 1;
  private static final int SO_ATTACH_REUSEPORT_CBPF = 51;

  private static final int SO_DETACH_REUSEPORT_BPF = 68;

  /** {@code BPF_RET | BPF_K}: the program's result is the instruction's constant. */
  private static final short RETURN_CONSTANT = 0x06;

  /** {@code BPF_RET | BPF_A}: it is the accumulator. */
  private static final short RETURN_ACCUMULATOR = 0x16;

  /** {@code BPF_LD | BPF_W | BPF_ABS}. */
  private static final short LOAD = 0x20;

  /** {@code BPF_ALU | BPF_MOD | BPF_K}. */
  private static final short MODULO = 0x94;

  /** {@code BPF_ALU | BPF_ADD | BPF_K}. */
  private static final short ADD = 0x04;

  /** {@code BPF_JMP | BPF_JGE | BPF_K}. */
  private static final short JUMP_UNLESS_AT_LEAST = 0x35;

  /** {@code SKF_AD_OFF + SKF_AD_RANDOM}: what to load, a random number. */
  private static final int RANDOM = -0x1000 + 56;

  /** {@code struct sock_fprog}: how many instructions, and where they are. */
  private static final int PROGRAM_BYTES = 16;

  private static final int INSTRUCTIONS_OFFSET = 8;

  /** {@code struct sock_filter}: code, two jumps, constant. */
  private static final int INSTRUCTION_BYTES = 8;

  private static final int JUMP_ELSE_OFFSET = 3;
  private static final int CONSTANT_OFFSET = 4;

  /**
   * {@code struct sock_filter}.
   *
   * @param skip how many instructions a jump leaves out where its condition does not hold
   */
  private record Instruction(short code, int skip, int constant) {}

  private SocketFilter() {}

  /**
   * Has the socket at a place of the group get all new connections from now on.
   *
   * @param descriptor of any socket of the group
   * @return whether the kernel took it
   */
  static boolean prefer(int descriptor, int place) {
    return attach(descriptor, new Instruction(RETURN_CONSTANT, 0, place));
  }

  /**
   * Has all sockets of the group but one share new connections evenly. Where that one leaves the
   * group the last takes its place ({@code __reuseport_detach_sock}): all that are left still get
   * some, those at no place by the hash.
   *
   * @param count how many sockets the group has, two at least
   */
  static boolean avoid(int descriptor, int place, int count) {
    return attach(
        descriptor,
        new Instruction(LOAD, 0, RANDOM),
        new Instruction(MODULO, 0, count - 1),
        new Instruction(JUMP_UNLESS_AT_LEAST, 1, place),
        new Instruction(ADD, 0, 1),
        new Instruction(RETURN_ACCUMULATOR, 0, 0));
  }

  /** Has the kernel deal out new connections by itself again, whoever told it otherwise. */
  static void detach(int descriptor) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment ignored = arena.allocate(Integer.BYTES, Integer.BYTES);
      int detached =
          (int)
              setsockopt()
                  .invokeExact(
                      descriptor, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, ignored, Integer.BYTES);
      if (detached != 0) {
        // There is none, or the kernel is older than 5.3: a place that no socket has does as well.
        var _ = prefer(descriptor, Integer.MAX_VALUE);
      }
    } catch (Throwable e) {
      throw new IllegalStateException("setsockopt(2) cannot be called", e);
    }
  }

  private static boolean attach(int descriptor, Instruction... instructions) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment code =
          arena.allocate((long) INSTRUCTION_BYTES * instructions.length, Integer.BYTES);
      for (int i = 0; i < instructions.length; i++) {
        long at = (long) i * INSTRUCTION_BYTES;
        code.set(ValueLayout.JAVA_SHORT, at, instructions[i].code());
        code.set(ValueLayout.JAVA_BYTE, at + JUMP_ELSE_OFFSET, (byte) instructions[i].skip());
        code.set(ValueLayout.JAVA_INT, at + CONSTANT_OFFSET, instructions[i].constant());
      }
      MemorySegment program = arena.allocate(PROGRAM_BYTES, Long.BYTES);
      program.set(ValueLayout.JAVA_SHORT, 0, (short) instructions.length);
      program.set(ValueLayout.ADDRESS, INSTRUCTIONS_OFFSET, code);
      return (int)
              setsockopt()
                  .invokeExact(
                      descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program, PROGRAM_BYTES)
          == 0;
    } catch (Throwable e) {
      throw new IllegalStateException("setsockopt(2) cannot be called", e);
    }
  }

  @SuppressWarnings("restricted") // the launcher allows native access
  private static MethodHandle setsockopt() {
    return Linker.nativeLinker()
        .downcallHandle(
            Linker.nativeLinker().defaultLookup().findOrThrow("setsockopt"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_INT));
  }
}
