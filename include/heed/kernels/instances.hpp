#pragma once
// The kernels that every layer calls, for float and double: what a program that compiles them once has in one file
// (heed/instances.hpp) and declares in the others, where HEED_EXTERN_TEMPLATES is defined (docs/building.md).

#include <heed/kernels/activation.hpp>
#include <heed/kernels/additive.hpp>
#include <heed/kernels/flash_backward.hpp>
#include <heed/kernels/flash_decode.hpp>
#include <heed/kernels/flash_decode_backward.hpp>
#include <heed/kernels/flash_forward.hpp>
#include <heed/kernels/gemm.hpp>
#include <heed/kernels/gru_cell.hpp>
#include <heed/kernels/gru_reset_before.hpp>
#include <heed/kernels/normalization.hpp>
#include <heed/kernels/softmax.hpp>

#define HEED_KERNEL_INSTANCES(declare, T)                                                                              \
  declare void gemm<T>(Transpose, MatrixView<const T>, Transpose, MatrixView<const T>, MatrixView<T>, Accumulate, T*); \
  declare void pack_b<T>(Transpose, MatrixView<const T>, T*);                                                          \
  declare void gemm_packed<T>(Transpose, MatrixView<const T>, const T*, MatrixView<T>, Index, Accumulate);             \
  declare void flash_forward<T>(const FlashHead<T>&, const FlashOutputs<T>&, const FlashForwardScratch<T>&, Range);    \
  declare void flash_backward<T>(const FlashHead<T>&, const FlashGradients<T>&, const FlashBackwardScratch<T>&, Range, \
                                 Range, T*);                                                                           \
  declare void flash_decode<T>(FlashDecode<T>&, const FlashDecodeScratch<T>&);                                         \
  declare void flash_decode_chunk<T>(FlashDecode<T>&, const FlashDecodeScratch<T>&, Index, T*);                        \
  declare void flash_decode_join<T>(FlashDecode<T>&, const FlashDecodeScratch<T>&, const T*);                          \
  declare void flash_decode_backward<T>(FlashDecodeBackward<T>&, Range, T*);                                           \
  declare T logsumexp_row<T>(const T*, Index);                                                                         \
  declare T softmax_row<T>(const T*, T*, Index, Index);                                                                \
  declare T softmax_row<T>(const T*, const bool*, T*, Index);                                                          \
  declare void softmax_backward_row<T>(const T*, const T*, T*, Index, Index);                                          \
  declare void softmax_backward_row<T>(const T*, const T*, const bool*, T*, Index);                                    \
  declare T log_softmax_row<T>(const T*, T*, Index, Index);                                                            \
  declare void log_softmax_backward_row<T>(const T*, const T*, T*, Index, Index);                                      \
  declare void additive_scores<T>(MatrixView<const T>, MatrixView<const T>, const T*, MatrixView<T>);                  \
  declare void additive_scores_backward<T>(const AdditiveBackward<T>&);                                                \
  declare void activation_row<T>(Activation, const T*, T*, Index, ActivationOptions);                                  \
  declare void activation_backward_row<T>(Activation, const T*, const T*, T*, Index, ActivationOptions);               \
  declare RowMoments<T> layer_norm_row<T>(const T*, const T*, const T*, T, T*, Index);                                 \
  declare void layer_norm_backward_row<T>(const T*, const T*, RowMoments<T>, const T*, T*, T*, T*, Index);             \
  declare T rms_norm_row<T>(const T*, const T*, T, T*, Index);                                                         \
  declare void rms_norm_backward_row<T>(const T*, const T*, T, const T*, T*, T*, Index);                               \
  declare void gru_step<T>(const GruStepForward<T>&, GruGate);                                                         \
  declare void gru_step_backward<T>(const GruStepBackward<T>&, GruGate);                                               \
  declare void gru_gates<T>(const GruResetBeforeForward<T>&, GruGate);                                                 \
  declare void gru_candidate<T>(const GruResetBeforeForward<T>&);                                                      \
  declare void gru_candidate_backward<T>(const GruResetBeforeBackward<T>&, GruGate);                                   \
  declare void gru_gates_backward<T>(const GruResetBeforeBackward<T>&, GruGate);

#if defined(HEED_EXTERN_TEMPLATES)
namespace heed::inline HEED_ABI {

HEED_KERNEL_INSTANCES(extern template, float)
HEED_KERNEL_INSTANCES(extern template, double)

}  // namespace heed::inline HEED_ABI
#endif
