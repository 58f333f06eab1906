"""Export records and models: model folder, MLflow, TensorBoard, TREC, Optuna."""
