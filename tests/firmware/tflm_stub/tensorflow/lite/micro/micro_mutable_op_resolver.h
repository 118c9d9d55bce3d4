// Stand-in for the header of the same name; see README.md.
#ifndef ESV_STUB_MICRO_MUTABLE_OP_RESOLVER_H_
#define ESV_STUB_MICRO_MUTABLE_OP_RESOLVER_H_

#include "tensorflow/lite/micro/micro_interpreter.h"

ESV_STUB_OPEN

template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
  public:
    // The methods for operators of the schema, in the order of the real header; those with a defaulted argument lack
    // it.
#define ESV_STUB_METHODS(X)                                                                                            \
    X(AddAbs)                                                                                                          \
    X(AddAdd) X(AddAddN) X(AddArgMax) X(AddArgMin) X(AddAssignVariable) X(AddAveragePool2D) X(AddBatchMatMul) X(       \
        AddBatchToSpaceNd) X(AddBroadcastArgs) X(AddBroadcastTo) X(AddCallOnce) X(AddCast) X(AddCeil)                  \
        X(AddConcatenation) X(AddConv2D) X(AddCos) X(AddCumSum) X(AddDepthToSpace) X(AddDepthwiseConv2D) X(            \
            AddDequantize) X(AddDiv) X(AddDynamicUpdateSlice) X(AddEmbeddingLookup) X(AddElu) X(AddEqual) X(AddExp)    \
            X(AddExpandDims) X(AddFill) X(AddFloor) X(AddFloorDiv) X(AddFloorMod) X(AddFullyConnected) X(AddGather)    \
                X(AddGatherNd) X(AddGreater) X(AddGreaterEqual) X(AddHardSwish) X(AddIf) X(AddL2Normalization)         \
                    X(AddL2Pool2D) X(AddLeakyRelu) X(AddLess) X(AddLessEqual) X(AddLog) X(AddLogicalAnd)               \
                        X(AddLogicalNot) X(AddLogicalOr) X(AddLogistic) X(AddLogSoftmax) X(AddMaximum) X(AddMaxPool2D) \
                            X(AddMirrorPad) X(AddMean) X(AddMinimum) X(AddMul) X(AddNeg) X(AddNotEqual) X(AddPack)     \
                                X(AddPad) X(AddPadV2) X(AddPrelu) X(AddQuantize) X(AddReadVariable) X(AddReduceAll)    \
                                    X(AddReduceMax) X(AddReduceMin) X(AddRelu) X(AddRelu6) X(AddReshape)               \
                                        X(AddResizeBilinear) X(AddResizeNearestNeighbor) X(AddReverseV2) X(AddRound)   \
                                            X(AddRsqrt) X(AddSelectV2) X(AddShape) X(AddSin) X(AddSlice) X(AddSoftmax) \
                                                X(AddSpaceToBatchNd) X(AddSpaceToDepth) X(AddSplit) X(AddSplitV)       \
                                                    X(AddSqueeze) X(AddSqrt) X(AddSquare) X(AddSquaredDifference)      \
                                                        X(AddStridedSlice) X(AddSub) X(AddSum) X(AddSvdf) X(AddTanh)   \
                                                            X(AddTransposeConv) X(AddTranspose) X(AddUnpack)           \
                                                                X(AddUnidirectionalSequenceLSTM) X(AddVarHandle)       \
                                                                    X(AddWhile) X(AddZerosLike)
#define ESV_STUB_METHOD(name) \
    TfLiteStatus name() { return Add(); }
    ESV_STUB_METHODS(ESV_STUB_METHOD)
#undef ESV_STUB_METHOD

    unsigned int size() const override { return count_; }

  private:
    // The real class keeps registration, code and parser of each operator; so much memory it takes on a 64-bit
    // computer.
    struct Entry {
        void *registration[7];
        void *parser[2];
    };

    TfLiteStatus Add() { return count_ < tOpCount ? (++count_, kTfLiteOk) : kTfLiteError; }

    Entry entries_[tOpCount] = {};
    unsigned int count_ = 0;
};

ESV_STUB_CLOSE

#endif  // ESV_STUB_MICRO_MUTABLE_OP_RESOLVER_H_
