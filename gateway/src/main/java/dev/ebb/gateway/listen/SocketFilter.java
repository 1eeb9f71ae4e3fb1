package dev.ebb.gateway.listen;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Which socket of those that share a port gets new connections: a program of one instruction that
 * the kernel runs for each. See {@code SO_ATTACH_REUSEPORT_CBPF} in {@code socket(7)} and {@code
 * reuseport_select_sock} in Linux's {@code net/core/sock_reuseport.c}: the program's result is the
 * place of the socket in the group; where there is none at that place a hash decides.
 */
final class SocketFilter {
  private static final int SOL_SOCKET = 1;
  private static final int SO_ATTACH_REUSEPORT_CBPF = 51;

  /** {@code BPF_RET | BPF_K}: the program's result is the instruction's constant. */
  private static final short RETURN_CONSTANT = 0x06;

  /** {@code struct sock_fprog}: how many instructions, and where they are. */
  private static final int PROGRAM_BYTES = 16;

  private static final int INSTRUCTIONS_OFFSET = 8;

  /** {@code struct sock_filter}: code, two jumps, constant. */
  private static final int INSTRUCTION_BYTES = 8;

  private static final int CONSTANT_OFFSET = 4;

  private SocketFilter() {}

  /**
   * Has the socket at a place of the group get all new connections from now on.
   *
   * @param descriptor of any socket of the group
   * @return whether the kernel took it
   */
  static boolean prefer(int descriptor, int place) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment instruction = arena.allocate(INSTRUCTION_BYTES, Integer.BYTES);
      instruction.set(ValueLayout.JAVA_SHORT, 0, RETURN_CONSTANT);
      instruction.set(ValueLayout.JAVA_INT, CONSTANT_OFFSET, place);
      MemorySegment program = arena.allocate(PROGRAM_BYTES, Long.BYTES);
      program.set(ValueLayout.JAVA_SHORT, 0, (short) 1);
      program.set(ValueLayout.ADDRESS, INSTRUCTIONS_OFFSET, instruction);
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
